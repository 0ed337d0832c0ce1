package trial

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"fairlead/config"
	"fairlead/monitors"
	"fairlead/monitors/probe"
	"fairlead/monitors/source"
)

// Limits of one trial.
const (
	// MaxRuns is how many addresses one trial runs a monitor against; the others are left out.
	MaxRuns = 64
	// MaxProbes is how many probes one trial makes, with all that is part of calculated monitors.
	MaxProbes = 256

	// MaxParts is how many parts of calculated monitors one trial shows.
	MaxParts = 1024

	atOnce      = 16 // probes and reads under way
	maxResolved = 4  // addresses of a name
)

// Options are what Trials need.
type Options struct {
	Prober *probe.Prober
	// Reader reads load sources. It is closed after each read, and belongs to the Trials alone.
	Reader *source.Reader
	// Lookup resolves the name of a target. Nil: names are not resolved.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	// Members tells how many usable servers a push source told last, and when. Nil: nothing is pushed here.
	Members func(service string) (members float64, at time.Time, ok bool)
}

// Trials runs monitors and reads load sources on demand. Safe for concurrent use; it sets no limit to how many are asked for at once.
type Trials struct {
	opts Options
}

// New returns Trials.
func New(o Options) *Trials {
	if o.Lookup == nil {
		o.Lookup = func(context.Context, string) ([]netip.Addr, error) {
			return nil, errors.New("names are not resolved here")
		}
	}
	if o.Members == nil {
		o.Members = func(string) (float64, time.Time, bool) { return 0, time.Time{}, false }
	}
	return &Trials{opts: o}
}

// Run is what one run of a monitor against one address gave.
type Run struct {
	Service string // empty: of none
	Monitor *config.Monitor
	// Part is what a calculated monitor calls it; empty: it is no part.
	Part string
	// Address is the service's, or the target of the question.
	Address netip.AddrPort
	// At is where it was probed; its port is 0 when neither the service nor the monitor has one.
	At       netip.AddrPort
	State    monitors.State // Up: it passes; Unknown: it decides nothing
	Draining bool
	Reason   string
	Latency  time.Duration // to the first byte of the answer
	Took     time.Duration // as a whole
	Values   []probe.Value
	Steps    []probe.Step
	Parts    []Run // of a calculated monitor
}

// Trial is the runs of one question.
type Trial struct {
	Monitor *config.Monitor
	Runs    []Run
	LeftOut int // addresses beyond MaxRuns
}

// Monitor runs a monitor of a document once against each of its targets, those that this node would not probe included. It returns soon
// after ctx ends: what did not end until then fails. Errors wrap ErrNoMonitor, ErrNoService, ErrNothing or ErrTarget.
func (t *Trials) Monitor(ctx context.Context, doc *config.Document, q Question) (*Trial, error) {
	list, left, err := t.find(ctx, doc, &q)
	if err != nil {
		return nil, err
	}
	b := &bench{Trials: t, doc: doc, results: map[key]*result{}}
	for i := range list {
		b.gather(&list[i].target)
	}
	b.work(ctx)
	out := &Trial{Monitor: monitorOf(doc, q.Monitor), LeftOut: left}
	for i := range list {
		run := b.run(&list[i].target, 0)
		if dns := list[i].dns; dns != nil {
			for j := range run.Steps {
				run.Steps[j].At += dns.At
			}
			run.Steps, run.Took = slices.Insert(run.Steps, 0, *dns), run.Took+dns.At
		}
		out.Runs = append(out.Runs, run)
	}
	return out, nil
}

// bench is one trial under way.
type bench struct {
	*Trials
	doc     *config.Document
	order   []key
	results map[key]*result
	of      map[key]*monitors.Calculated
	known   map[key]Run // of calculated ones, without what they are made of
	shown   int         // parts
}

// key is a target.
type key struct {
	service, monitor string
	address          netip.AddrPort
}

func keyOf(t *probe.Target) key { return key{t.Service, t.Monitor.Name, t.Address} }

// result is what a probe, or a read, of a target gave.
type result struct {
	target   probe.Target
	got      probe.Result
	took     time.Duration
	nothing  bool // it decides nothing
	unwanted bool // beyond MaxProbes
}

// gather notes what has to be run for a target: itself, or what it is made of.
func (b *bench) gather(t *probe.Target) {
	if t.Monitor.Type != config.MonitorCalculated {
		b.want(t)
		return
	}
	if b.of[keyOf(t)] != nil {
		return
	}
	_, calculated := monitors.Outline(b.doc, []probe.Target{*t})
	if b.of == nil {
		b.of = map[key]*monitors.Calculated{}
	}
	for i := range calculated {
		c := &calculated[i]
		b.of[keyOf(&c.Target)] = c
		for j := range c.Parts {
			for k := range c.Parts[j].Targets {
				if part := &c.Parts[j].Targets[k]; part.Monitor.Type != config.MonitorCalculated {
					b.want(part)
				}
			}
		}
	}
}

func (b *bench) want(t *probe.Target) {
	k := keyOf(t)
	if b.results[k] == nil {
		b.results[k] = &result{target: *t, unwanted: len(b.order) >= MaxProbes}
		b.order = append(b.order, k)
	}
}

// work runs what was gathered.
func (b *bench) work(ctx context.Context) {
	var all sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, k := range b.order {
		r := b.results[k]
		if r.unwanted {
			r.got.Reason, r.nothing = fmt.Sprintf("not run: one test makes at most %d probes", MaxProbes), true
			continue
		}
		places <- struct{}{} // a place is free when ctx ended, soon
		all.Go(func() {
			defer func() { <-places }()
			b.one(ctx, r)
		})
	}
	all.Wait()
}

// one runs one probe.
func (b *bench) one(ctx context.Context, r *result) {
	began := time.Now()
	if r.target.Monitor.Type == config.MonitorPassive {
		b.members(ctx, r)
	} else {
		r.got = b.opts.Prober.Trace(ctx, r.target)
	}
	r.took = time.Since(began)
	if ctx.Err() != nil && !r.got.OK {
		r.got.Reason, r.nothing = "not ended when the test was", true
	}
}

// members judges a passive monitor by what the load source of its service tells now.
func (b *bench) members(ctx context.Context, r *result) {
	members, at, err := b.membersNow(ctx, r)
	if err != nil {
		r.got.Reason, r.nothing = err.Error(), true
		return
	}
	least := config.SectionOf(r.target.Monitor.Passive).MinMembers
	members = math.Trunc(members)
	r.got.OK, r.got.At = members >= float64(least), at
	r.got.Reason = fmt.Sprintf("%.0f usable servers behind it, %d needed", members, least)
	if members == 1 {
		r.got.Reason = fmt.Sprintf("1 usable server behind it, %d needed", least)
	}
	r.got.Values = []probe.Value{{Name: "members", Value: members}}
}

// run tells what was found of a target.
func (b *bench) run(t *probe.Target, depth int) Run {
	out := Run{Service: t.Service, Monitor: t.Monitor, Address: t.Address, At: t.Endpoint(0)}
	if t.Monitor.Type == config.MonitorCalculated {
		if one, ok := b.known[keyOf(t)]; ok {
			return one // what it is made of was shown
		}
		b.conclude(&out, t, depth)
		if b.known == nil {
			b.known = map[key]Run{}
		}
		one := out
		one.Parts = nil
		b.known[keyOf(t)] = one
		return out
	}
	r := b.results[keyOf(t)]
	out.Reason, out.Draining, out.Latency, out.Took, out.Values = r.got.Reason, r.got.Drain, r.got.Latency, r.took, r.got.Values
	out.Steps = slices.Clone(r.got.Steps)
	switch {
	case r.got.OK:
		out.State = monitors.Up
	case !r.nothing:
		out.State = monitors.Down
	}
	return out
}

// conclude makes the verdict of a calculated monitor of those of its parts.
func (b *bench) conclude(out *Run, t *probe.Target, depth int) {
	c := b.of[keyOf(t)]
	if c == nil || depth >= config.MaxCalculatedDepth { // documents are validated: it is neither
		out.Reason = "made of others more than is allowed"
		return
	}
	of := make([][]monitors.Verdict, len(c.Parts))
	for i := range c.Parts {
		for j := range c.Parts[i].Targets {
			part := b.run(&c.Parts[i].Targets[j], depth+1)
			part.Part = c.Parts[i].Name
			of[i] = append(of[i], monitors.Verdict{State: part.State, Draining: part.Draining, Reason: part.Reason, At: time.Now()})
			out.Took = max(out.Took, part.Took)
			b.show(out, part)
		}
		if len(c.Parts[i].Targets) == 0 {
			b.show(out, Run{Part: c.Parts[i].Name, Reason: c.Parts[i].Absent})
		}
	}
	v := c.Conclude(of)
	out.State, out.Draining, out.Reason = v.State, v.Draining, v.Reason
}

func (b *bench) show(out *Run, part Run) {
	if b.shown < MaxParts {
		b.shown++
		out.Parts = append(out.Parts, part)
	}
}
