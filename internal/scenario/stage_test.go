package scenario

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead/adns"
	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
	"fairlead/sites"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// stage is a node without sockets and clock: document, belief, snapshot and what queries wrote.
type stage struct {
	t     *testing.T
	files map[string]string
	line  int
	text  string

	now       time.Time
	here      string
	doc       *config.Document
	plan      *gslb.Plan
	zones     *adns.Zones
	tracker   *sites.Tracker
	overrides *sites.Overrides
	holds     *sites.Holds
	learned   *gslb.Learned
	snapshot  *gslb.Snapshot
	believed  map[string]gslb.ServiceStatus // by hand, by service
	held      map[string]bool               // by hand, by virtual server
}

func newStage(t *testing.T, files map[string]string) *stage {
	s := &stage{t: t, files: files, now: epoch, believed: map[string]gslb.ServiceStatus{}, held: map[string]bool{}}
	for _, line := range strings.Split(files["story"], "\n") {
		if words := strings.Fields(line); len(words) == 2 && words[0] == "here" {
			s.here = words[1]
		}
	}
	if err := s.load("document.yaml"); err != nil {
		t.Fatal(err)
	}
	return s
}

// load makes a file the document.
func (s *stage) load(file string) error {
	doc, report := config.Parse(config.Source{Name: file, Text: []byte(s.files[file])})
	if err := report.Err(); err != nil {
		var b strings.Builder
		if err := report.Render(&b, false); err != nil {
			return err
		}
		return fmt.Errorf("%s:\n%s", file, b.String())
	}
	doc = doc.Expanded(nil)
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		return err
	}
	zones, err := adns.CompileZones(doc, plan)
	if err != nil {
		return err
	}
	if s.here == "" {
		s.here = doc.Sites[0].Name
	}
	if s.tracker == nil {
		s.overrides = sites.NewOverrides(sites.OverridesOptions{Site: s.here})
		s.holds = sites.NewHolds(s.overrides)
		s.tracker, s.learned = sites.New(sites.Options{Site: s.here, Overrides: s.overrides}), gslb.NewLearned(plan)
		ldns := &doc.Settings.LDNS
		s.learned.Sessions = gslb.NewSessions(gslb.SessionOptions{Max: doc.Settings.Sessions.MaxEntries})
		s.learned.Resolvers = gslb.NewResolvers(gslb.ResolverOptions{Prefix4: ldns.Prefix4, Prefix6: ldns.Prefix6, Max: ldns.MaxEntries, Timeout: ldns.EntryTimeout.Std()})
	} else {
		s.learned = s.learned.Carry(s.plan, plan)
	}
	s.doc, s.plan, s.zones, s.snapshot = doc, plan, zones, nil
	s.tracker.SetDocument(doc, plan, s.now)
	s.publish()
	return nil
}

// publish weighs belief and compiles it, as the node's publisher does.
func (s *stage) publish() {
	s.overrides.Expire(s.now)
	status := s.tracker.Status(s.now, s.learned.Handed)
	status.Held = s.holds.Held(s.doc, s.plan)
	status.Ordered = s.overrides.Ordered(s.doc, s.plan, s.now)
	for name, st := range s.believed {
		if i, ok := s.plan.ServiceByName(name); ok {
			status.Services[i] = st
		}
	}
	for i := range s.plan.VirtualServers() {
		if s.held[s.plan.VirtualServerName(gslb.VirtualServerIndex(i))] {
			if status.Held == nil {
				status.Held = make([]bool, s.plan.VirtualServers())
			}
			status.Held[i] = true
		}
	}
	generation := uint64(1)
	if s.snapshot != nil {
		generation = s.snapshot.Generation + 1
	}
	s.snapshot = gslb.NewSnapshot(generation, s.plan, status, s.snapshot)
	s.latch()
}

// step does one line of the story.
func (s *stage) step(words []string) error {
	steps := map[string]func([]string) error{
		"here": func([]string) error { return nil }, "wait": s.wait, "document": s.document, "session": s.session, "report": s.report,
		"views": s.views, "monitor": s.monitor, "load": s.read, "believe": s.believe, "hold": s.hold, "override": s.override,
		"release": s.release, "rtt": s.rtt, "push": s.push, "state": s.state, "alarm": s.alarm, "ask": s.ask,
	}
	do, ok := steps[words[0]]
	if !ok {
		return errors.New("no such step")
	}
	least := map[string]int{"monitor": 4, "override": 3, "rtt": 4, "push": 4, "session": 3, "believe": 3, "hold": 3, "state": 3, "ask": 5}
	if len(words) < max(2, least[words[0]]) {
		return errors.New("words are missing")
	}
	return do(words[1:])
}

func (s *stage) wait(words []string) error {
	d, err := time.ParseDuration(words[0])
	if err != nil {
		return err
	}
	for end := s.now.Add(d); s.now.Before(end); s.publish() {
		s.now = s.now.Add(min(time.Second, end.Sub(s.now)))
	}
	return nil
}

func (s *stage) document(words []string) error { return s.load(words[0]) }

func (s *stage) session(words []string) error {
	events := map[string][]mep.Event{
		"up":      {&mep.SessionUp{Peer: words[0], At: s.now}},
		"down":    {&mep.SessionDown{Peer: words[0], At: s.now}},
		"leaving": {&mep.PeerLeaving{Peer: words[0], At: s.now}, &mep.SessionDown{Peer: words[0], Left: true, At: s.now}},
	}[words[1]]
	if events == nil {
		return errors.New("a session is up, down or leaving")
	}
	for _, e := range events {
		s.tracker.Peer(e, s.learned.Handed)
	}
	s.publish()
	return nil
}

var wireStates = map[string]mep.State{"up": mep.StateUp, "down": mep.StateDown, "unknown": mep.StateUnknown,
	"disabled": mep.StateDisabled, "draining": mep.StateDraining}

func (s *stage) report(words []string) error {
	r := &mep.ServicesReport{Peer: words[0], ReceivedAt: s.now}
	for part := range strings.SplitSeq(strings.Join(words[1:], " "), ";") {
		fields := strings.Fields(part)
		if len(fields) == 0 {
			continue
		}
		if len(fields) < 2 {
			return fmt.Errorf("%q: a service and its state", part)
		}
		record := mep.ServiceRecord{Name: fields[0]}
		var ok bool
		if record.State, ok = wireStates[strings.ToLower(fields[1])]; !ok {
			return fmt.Errorf("no state %q", fields[1])
		}
		if err := fillRecord(&record, fields[2:]); err != nil {
			return err
		}
		r.Records = append(r.Records, record)
	}
	s.tracker.Peer(r, s.learned.Handed)
	s.publish()
	return nil
}

// fillRecord reads key=value into what goes over the wire.
func fillRecord(r *mep.ServiceRecord, fields []string) error {
	n, err := numbers(fields)
	if err != nil {
		return err
	}
	for key, v := range n {
		switch key {
		case "active":
			r.Has, r.ActiveConnections = r.Has|mep.HasActiveConnections|mep.HasLoadAge, uint64(v)
		case "age":
			r.LoadAge = time.Duration(v * float64(time.Second))
		case "response_time":
			r.Has, r.ResponseTime = r.Has|mep.HasResponseTime|mep.HasLoadAge, time.Duration(v*float64(time.Second))
		case "bandwidth":
			r.Has, r.BitsPerSecond = r.Has|mep.HasBitsPerSecond|mep.HasLoadAge, uint64(v)
		case "packets":
			r.Has, r.PacketsPerSecond = r.Has|mep.HasPacketsPerSecond|mep.HasLoadAge, uint64(v)
		case "custom":
			r.Has, r.CustomLoad = r.Has|mep.HasCustomLoad|mep.HasLoadAge, uint64(v*1000)
		case "members":
			r.Has, r.MembersBehind = r.Has|mep.HasMembersBehind|mep.HasLoadAge, uint64(v)
		case "without4":
			r.Without4 = true
		case "without6":
			r.Without6 = true
		default:
			return fmt.Errorf("no key %q in a report", key)
		}
	}
	return nil
}

func (s *stage) monitor(words []string) error {
	service, monitor, rest := words[0], words[1], words[2:]
	i, ok := s.plan.ServiceByName(service)
	if !ok {
		return fmt.Errorf("no service %q", service)
	}
	config := &s.doc.Services[i]
	addresses := config.Addresses
	if a, err := netip.ParseAddr(rest[0]); err == nil {
		addresses, rest = []netip.Addr{a}, rest[1:]
	}
	if len(rest) == 0 {
		return errors.New("up, down or draining?")
	}
	state, ok := map[string]monitors.State{"up": monitors.Up, "down": monitors.Down, "draining": monitors.Up}[rest[0]]
	n, err := numbers(rest[1:])
	if !ok || err != nil {
		return fmt.Errorf("a verdict is up, down or draining (%w)", err)
	}
	for _, a := range addresses {
		v := monitors.Verdict{Service: service, Monitor: monitor, Address: netip.AddrPortFrom(a, uint16(config.Port)), State: state,
			Since: s.now, At: s.now, Failures: int(n["failures"]), Successes: int(n["successes"]), Draining: rest[0] == "draining", Reason: "as told"}
		if len(n) == 0 && state == monitors.Up {
			v.Successes = 100
		} else if len(n) == 0 {
			v.Failures = 100
		}
		s.tracker.Verdict(v)
	}
	s.publish()
	return nil
}
