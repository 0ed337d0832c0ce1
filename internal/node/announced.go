package node

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"fairlead/api"
	"fairlead/config"
	"fairlead/mep"
)

// withdrawnFor is how long a service that is announced no more is kept, disabled: a site that is started again brings it back within
// that time, and nothing that is known of it is lost.
const withdrawnFor = 10 * time.Second

// announced follows what sites announce for groups with announced: one goroutine for all of them.
type announced struct {
	log *zap.Logger
	// changed is called by run, when a group has other services.
	changed func()
	// pass hands an event on to belief.
	pass func(mep.Event)
	path string               // of the file that keeps what is known; empty: there is none
	kept map[string]keptNames // by group, as that file had it at the start

	// order is held while an event is taken in and handed on, so that those of a site do not overtake each other. Before mu.
	order sync.Mutex
	mu    sync.Mutex
	named map[string]bool            // services of the document in use
	local map[string]bool            // sites of it whose own address is loopback
	group map[string]*announcedGroup // by name
	heard map[string]*announcer      // by site that announces for a group
	wake  chan struct{}              // capacity 1
}

// announcedGroup is one group. What was announced last stays while its site is not heard.
type announcedGroup struct {
	name, site string
	settings   config.Announced
	needsPort  bool                    // a member without port cannot be used
	live       []announcedMember       // by name, at most settings.Max
	withdrawn  map[string]leavingNamed // by name
	leftOut    int                     // usable ones above settings.Max
	refused    int                     // that cannot be used
	refusal    string                  // why the first of them
	at         time.Time               // of the last report; zero: none since the start
}

// announcedMember is a service as it was announced.
type announcedMember struct {
	Name   string     `json:"name"`
	IPv4   netip.Addr `json:"ipv4,omitzero"`
	IPv6   netip.Addr `json:"ipv6,omitzero"`
	Port   int        `json:"port,omitempty"`
	Weight int        `json:"weight"`
}

type leavingNamed struct {
	announcedMember
	until time.Time
}

// announcer is the last report of a site that announces.
type announcer struct {
	report *mep.ServicesReport // as it came; nil: what it told does not count any more
	told   *mep.ServicesReport // with the names that its services have here
}

func newAnnounced(log *zap.Logger, changed func(), pass func(mep.Event)) *announced {
	return &announced{log: log, changed: changed, pass: pass, group: map[string]*announcedGroup{}, heard: map[string]*announcer{}, wake: make(chan struct{}, 1)}
}

// adopt follows the groups of a document, as it is written, from now on. What is known of groups that stay is kept.
func (a *announced) adopt(doc *config.Document) {
	a.order.Lock()
	defer a.order.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	groups, heard := make(map[string]*announcedGroup), make(map[string]*announcer)
	for i := range doc.ServiceGroups {
		g := &doc.ServiceGroups[i]
		if g.Announced == nil {
			continue
		}
		needsPort := g.Port == 0 && doc.NeedsPort(g.Monitors) != ""
		s := a.of(g, needsPort)
		delete(a.kept, g.Name) // it would be old news if the group left the document and came back
		s.settings, s.needsPort = *g.Announced, needsPort
		groups[g.Name], heard[g.Site] = s, a.heard[g.Site]
		if heard[g.Site] == nil {
			heard[g.Site] = &announcer{}
		}
	}
	a.group, a.heard = groups, heard
	a.named, a.local = make(map[string]bool, len(doc.Services)), make(map[string]bool)
	if len(groups) > 0 {
		for i := range doc.Services {
			a.named[doc.Services[i].Name] = true
		}
	}
	for site, h := range heard {
		a.local[site] = localSite(doc.Site(site))
		if h.report != nil {
			a.takeIn(site, h.report.Records, time.Now())
			h.told = a.translated(site, h.report)
		}
	}
	a.rouse()
}

// localSite reports whether a site is on this machine, as in a lab.
func localSite(s *config.Site) bool {
	if s == nil {
		return false
	}
	host := s.Address
	if at, err := netip.ParseAddrPort(host); err == nil {
		return at.Addr().IsLoopback()
	}
	at, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && at.IsLoopback()
}

// of returns what is known of a group of a document: nothing when it follows another site or label than before.
func (a *announced) of(g *config.ServiceGroup, needsPort bool) *announcedGroup {
	if s := a.group[g.Name]; s != nil && s.site == g.Site && s.settings.Label == g.Announced.Label {
		return s
	}
	return a.restored(g, needsPort)
}

// rouse makes run look at what changed.
func (a *announced) rouse() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// members are those of the groups of a document, as they are now. What was withdrawn is disabled until its time is over.
func (a *announced) members(doc *config.Document) map[string][]config.GroupMember {
	if a == nil {
		return nil
	}
	out := make(map[string][]config.GroupMember)
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range doc.ServiceGroups {
		g := &doc.ServiceGroups[i]
		if g.Announced == nil {
			continue
		}
		needsPort := g.Port == 0 && doc.NeedsPort(g.Monitors) != ""
		s := a.of(g, needsPort)
		list := make([]config.GroupMember, 0, len(s.live)+len(s.withdrawn))
		for j := range s.live {
			list = append(list, s.live[j].member(config.ServiceEnabled))
		}
		list = list[:min(len(list), g.Announced.Max)]
		for _, name := range slices.Sorted(maps.Keys(s.withdrawn)) {
			if m := s.withdrawn[name]; len(list) < g.Announced.Max {
				list = append(list, m.member(config.ServiceDisabled))
			}
		}
		slices.SortFunc(list, func(x, y config.GroupMember) int { return strings.Compare(x.Name, y.Name) })
		out[g.Name] = list
	}
	return out
}

func (m *announcedMember) member(state config.ServiceState) config.GroupMember {
	out := config.GroupMember{Name: m.Name, Port: m.Port, Weight: m.Weight, State: state}
	for _, address := range []netip.Addr{m.IPv4, m.IPv6} {
		if address.IsValid() {
			out.Addresses = append(out.Addresses, address)
		}
	}
	return out
}

// run serves groups with other services, until ctx ends.
func (a *announced) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	before, dirty := a.sum(time.Now()), false
	var rest time.Time // not before then are changes told
	for {
		now := time.Now()
		if next := a.sum(now); !dirty && next != before {
			dirty, before, rest = true, next, latest(rest, now.Add(gatherAnswers))
		}
		if dirty && !now.Before(rest) {
			before = a.sum(now)
			a.changed()
			a.again()
			a.keep()
			dirty, rest = false, time.Now().Add(min((arrivalShare-1)*time.Since(now), maxArrivalRest))
		}
		timer.Reset(a.wait(dirty, rest))
		select {
		case <-ctx.Done():
			return nil
		case <-a.wake:
		case <-timer.C:
		}
	}
}

// sum forgets what was withdrawn long ago, and returns a text that is another one when a group has other services.
func (a *announced) sum(now time.Time) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.group)) {
		s := a.group[name]
		maps.DeleteFunc(s.withdrawn, func(_ string, m leavingNamed) bool {
			gone := !m.until.After(now)
			if gone {
				a.log.Info("group.removed", zap.String("group", name), zap.String("member", m.Name))
			}
			return gone
		})
		fmt.Fprintln(&b, name, s.settings.Max, s.live, slices.Sorted(maps.Keys(s.withdrawn)))
	}
	return b.String()
}

// wait is how long nothing is to be done.
func (a *announced) wait(dirty bool, rest time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := time.Now().Add(longestInterval)
	if dirty {
		next = rest
	}
	for _, s := range a.group {
		for _, m := range s.withdrawn {
			if m.until.Before(next) {
				next = m.until
			}
		}
	}
	return max(time.Until(next), 0)
}

// again tells belief once more what the sites told last: it has services now that it did not have when that came.
func (a *announced) again() {
	a.order.Lock()
	defer a.order.Unlock()
	a.mu.Lock()
	reports := make([]*mep.ServicesReport, 0, len(a.heard))
	for _, h := range a.heard {
		if h.told != nil {
			reports = append(reports, h.told)
		}
	}
	a.mu.Unlock()
	for _, r := range reports {
		a.pass(r)
	}
}

// status tells what each group consists of, by its name.
func (a *announced) status() []api.GroupStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]api.GroupStatus, 0, len(a.group))
	for _, name := range slices.Sorted(maps.Keys(a.group)) {
		s := a.group[name]
		status := api.GroupStatus{Group: name, Site: s.site, Label: s.settings.Label, LeftOut: s.leftOut, Refused: s.refused, Failure: s.refusal,
			FailedAt: s.at, Resolved: s.at, Members: []string{}}
		for i := range s.live {
			m := &s.live[i]
			status.Members = append(status.Members, m.Name)
			status.Addresses = append(status.Addresses, m.member("").Addresses...)
		}
		for _, m := range s.withdrawn {
			status.Draining = append(status.Draining, m.member("").Addresses...)
		}
		slices.SortFunc(status.Draining, netip.Addr.Compare)
		out = append(out, status)
	}
	return out
}

// groups tells of all groups that change by themselves, by name.
func (n *Node) groups() []api.GroupStatus {
	return slices.SortedFunc(slices.Values(append(n.autoscale.status(), n.announced.status()...)), func(x, y api.GroupStatus) int {
		return strings.Compare(x.Group, y.Group)
	})
}
