//go:build integration && linux

package integration

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/internal/testkit/faultproxy"
)

// pace is how long the fault runs take. Short ones have shorter timeouts as well, so that the same things happen.
type pace struct {
	keepalive  time.Duration // settings.mep.keepalive_timeout, and parent_timeout
	broken     time.Duration // how long each fault lasts
	flap, flat time.Duration // how often a link flaps, and for how long in all
}

var (
	longRuns  = pace{10 * time.Second, 40 * time.Second, 7 * time.Second, 10 * time.Minute}
	shortRuns = pace{4 * time.Second, 10 * time.Second, 2800 * time.Millisecond, 30 * time.Second}
)

// What is promised.
const (
	agreeLimit = 15 * time.Second
	blinkLimit = 1100 * time.Millisecond // the monitors' interval, and its jitter
	// goneLimit is after how long a back-end that stopped is in no answer: fall × interval, a timeout, and a second.
	goneLimit = 3*1050*time.Millisecond + 900*time.Millisecond + time.Second
)

// fault is one run.
type fault struct {
	name       string
	proxied    bool
	begin, end func(*faultLab)
	flaps      bool   // between begin and end, again and again
	blind      string // a site that cannot see that a back-end stops
	// mayLose is which services a site may lose, once each: those that it has no way to hear of. Sites by name.
	mayLose map[string][]string
	// mayBlink is which services a site may lose for blinkLimit: monitors fail one after another, and a node suspects itself when
	// more than half of what it watches is lost.
	mayBlink map[string][]string
}

// faultRuns is all runs, in the order of the table.
var faultRuns = []fault{
	{name: "ams does not hear nyc (one way)",
		begin: func(f *faultLab) { f.drop("ams", from("nyc", false)...) }, end: func(f *faultLab) { f.undrop("ams") }},
	{name: "nyc does not hear ams (one way)",
		begin: func(f *faultLab) { f.drop("nyc", from("ams", false)...) }, end: func(f *faultLab) { f.undrop("nyc") }},
	{name: "ams and nyc do not hear sin (one way)",
		begin: func(f *faultLab) { f.drop("ams", from("sin", false)...); f.drop("nyc", from("sin", false)...) },
		end:   func(f *faultLab) { f.undrop("ams", "nyc") }, mayLose: map[string][]string{"ams": {"plain-sin"}, "nyc": {"plain-sin"}}},
	{name: "exchange split 2\\|1: ams, nyc, shop \\| sin",
		begin: func(f *faultLab) { f.split(false, []string{"ams", "nyc", "shop"}, []string{"sin"}) },
		end:   func(f *faultLab) { f.undrop("ams", "nyc", "shop", "sin") }, mayLose: map[string][]string{"ams": {"plain-sin"}, "nyc": {"plain-sin"}}},
	{name: "exchange split 1\\|1\\|1",
		begin: func(f *faultLab) { f.split(false, []string{"ams", "shop"}, []string{"nyc"}, []string{"sin"}) },
		end:   func(f *faultLab) { f.undrop("ams", "nyc", "shop", "sin") }},
	{name: "everything split 2\\|1: ams, nyc, shop \\| sin",
		begin:    func(f *faultLab) { f.split(true, []string{"ams", "nyc", "shop"}, []string{"sin"}) },
		end:      func(f *faultLab) { f.undrop("ams", "nyc", "shop", "sin") },
		mayLose:  map[string][]string{"ams": {"plain-sin", "web-sin"}, "nyc": {"plain-sin", "web-sin"}},
		blind:    "sin",
		mayBlink: map[string][]string{"sin": {"web-ams", "web-nyc", "web-shop"}}},
	{name: "the child loses its parent",
		begin: func(f *faultLab) { f.split(false, []string{"ams"}, []string{"shop"}) }, end: func(f *faultLab) { f.undrop("ams", "shop") }},
	{name: "30 % of packets lost, everywhere",
		begin: func(f *faultLab) {
			for _, s := range faultSites {
				f.drop(s, "iifname eth1 numgen random mod 100 < 30")
			}
		}, end: func(f *faultLab) { f.undrop(faultSites...) }},
	{name: "16 kbit/s out of each site", begin: func(f *faultLab) { f.limit("16kbit") }, end: (*faultLab).unlimit},
	{name: "1 Mbit/s out of each site", begin: func(f *faultLab) { f.limit("1mbit") }, end: (*faultLab).unlimit},
	{name: "delay 800 ms ± 400", proxied: true, begin: every(faultproxy.Fault{Delay: 800 * time.Millisecond, Jitter: 400 * time.Millisecond}), end: every(faultproxy.Fault{})},
	{name: "a byte in 10,000 is changed", proxied: true, begin: every(faultproxy.Fault{Corrupt: 1e-4}), end: every(faultproxy.Fault{})},
	{name: "connections with sin freeze", proxied: true, begin: of("sin", faultproxy.Fault{Freeze: true}), end: of("sin", faultproxy.Fault{}),
		mayLose: map[string][]string{"ams": {"plain-sin"}, "nyc": {"plain-sin"}}},
	{name: "connections are half-open, once", proxied: true,
		begin: func(f *faultLab) {
			for _, p := range f.proxies {
				p.HalfOpen(faultproxy.ToTarget)
			}
		}, end: func(f *faultLab) {}},
	{name: "connections are reset every second", proxied: true, flaps: true,
		begin: func(f *faultLab) {
			for _, p := range f.proxies {
				p.Reset()
			}
		}, end: func(f *faultLab) {}},
	{name: "sin's link flaps", flaps: true,
		begin: func(f *faultLab) { f.in(wan, "ip", "link", "set", "x-sin", "down") },
		end:   func(f *faultLab) { f.in(wan, "ip", "link", "set", "x-sin", "up") }},
}

// every sets a fault for all connections.
func every(what faultproxy.Fault) func(*faultLab) {
	return func(f *faultLab) {
		for _, p := range f.proxies {
			p.SetBoth(what)
		}
	}
}

// of sets a fault for the connections with one site.
func of(site string, what faultproxy.Fault) func(*faultLab) {
	return func(f *faultLab) {
		for name, p := range f.proxies {
			if strings.Contains(name, site) {
				p.SetBoth(what)
			}
		}
	}
}

// TestFaults breaks the network between sites in all ways that the kernel and a proxy know, while every site is asked all
// the time. FAIRLEAD_FAULTS=long makes the runs of docs/reliability.md, FAIRLEAD_FAULTS_TABLE names a file for their table.
func TestFaults(t *testing.T) {
	p := shortRuns
	if os.Getenv("FAIRLEAD_FAULTS") == "long" {
		p = longRuns
	}
	var mu sync.Mutex
	rows := map[string]string{}
	for _, lab := range []struct {
		name        string
		proxied     bool
		part, parts int // which of the faults of its kind: every so many, from which on
	}{{"even links", false, 0, 2}, {"odd links", false, 1, 2}, {"connections", true, 0, 1}} {
		t.Run(lab.name, func(t *testing.T) {
			t.Parallel() // all mostly wait; with less than three at a time it only takes longer
			f, n := newFaultLab(t, lab.proxied, p), -1
			for _, fault := range faultRuns {
				if fault.proxied != lab.proxied {
					continue
				}
				if n++; n%lab.parts != lab.part {
					continue
				}
				t.Run(strings.ReplaceAll(fault.name, "/", " per "), func(t *testing.T) {
					with := *f
					with.lab = f.with(t)
					row := with.suffer(fault, p)
					mu.Lock()
					defer mu.Unlock()
					rows[fault.name] = row
				})
			}
		})
	}
	t.Cleanup(func() { showFaults(t, rows) })
}

// showFaults writes the table of docs/reliability.md.
func showFaults(t *testing.T, rows map[string]string) {
	table := []string{tableHead}
	for _, fault := range faultRuns {
		if row := rows[fault.name]; row != "" {
			table = append(table, row)
		}
	}
	text := strings.Join(table, "\n")
	t.Logf("\n%s", text)
	if file := os.Getenv("FAIRLEAD_FAULTS_TABLE"); file != "" {
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Error(err)
		}
	}
}

const tableHead = `| fault | for | queries | unanswered | slowest answer | changes, monitored | changes, plain | sessions ended | stopped back-end gone | healed after |
|---|---|---|---|---|---|---|---|---|---|`

// suffer makes one run, checks it and returns its row.
func (f *faultLab) suffer(x fault, p pace) string {
	t := f.t
	eventually(t, agreeLimit, "all is well before", f.healed)
	began, prober := time.Now(), f.probe()
	now := f.flap(x, p)
	f.wait(now, p.half(x))
	stopped := time.Now()
	_ = f.servers[appNYC].Close()
	f.wait(now, p.whole(x)-p.half(x))
	x.end(f)
	healed, lasted := time.Now(), time.Since(began)
	f.serve("nyc", appNYC)
	back := f.agreeing()
	tallies := prober.end()
	monitored, plain, sessions := countChanges(f.seen.since(began))
	f.judge(x, tallies, healed)
	asked, missing, slowest, late, gone := 0, 0, time.Duration(0), time.Duration(0), time.Duration(0)
	for site, y := range tallies {
		asked, missing = asked+y.asked, missing+y.missing+y.wrong
		slowest, late = max(slowest, y.slowest), max(late, y.late)
		o := y.lost["app-nyc"]
		if site == x.blind {
			continue
		}
		if o == nil {
			t.Errorf("%s never noticed that app-nyc stopped", site)
			continue
		}
		gone = max(gone, o.firstLost.Sub(stopped))
	}
	if allowed := goneLimit + late; gone > allowed {
		t.Errorf("app-nyc was gone from all answers after %v, want within %v (the prober itself was late by %v)", gone, allowed, late)
	}
	t.Logf("the prober itself was late by %v at most", late)
	return fmt.Sprintf("| %s | %.0f s | %d | %d | %.0f ms | %d | %d | %d | %.1f s | %.1f s |", x.name, lasted.Seconds(), asked, missing,
		slowest.Seconds()*1000, monitored, plain, sessions, gone.Seconds(), back.Seconds())
}

// whole is how long a fault lasts, and half when the back-end stops.
func (p pace) whole(x fault) time.Duration {
	switch {
	case x.flaps && x.proxied:
		return 3 * p.broken
	case x.flaps:
		return p.flat
	}
	return p.broken
}

func (p pace) half(x fault) time.Duration { return min(p.whole(x)/2, p.whole(x)-goneLimit-time.Second) }

// flapping is how a fault comes and goes.
type flapping struct {
	fault
	every time.Duration
	next  time.Time // when it changes
	on    bool
}

// flap begins a fault, which flaps or does not.
func (f *faultLab) flap(x fault, p pace) *flapping {
	f.t.Helper()
	every := p.flap
	if x.proxied {
		every = time.Second
	}
	x.begin(f)
	return &flapping{fault: x, every: every, next: time.Now().Add(every), on: true}
}

// wait waits, while what flaps does so.
func (f *faultLab) wait(x *flapping, d time.Duration) {
	f.t.Helper()
	until := time.After(d)
	for x.flaps {
		select {
		case <-time.After(time.Until(x.next)):
		case <-until:
			return
		}
		x.next = x.next.Add(x.every)
		if x.on = !x.on; x.on || x.proxied {
			x.begin(f)
		} else {
			x.end(f)
		}
	}
	<-until
}

// agreeing waits until all sites hear each other, believe all services UP and answer alike, and returns how long it took.
func (f *faultLab) agreeing() time.Duration {
	return eventually(f.t, agreeLimit, "sessions are back, and all sites agree", f.healed)
}

// judge holds what sites answered against what was promised.
func (f *faultLab) judge(x fault, tallies map[string]*tally, healed time.Time) {
	f.t.Helper()
	for _, site := range slices.Sorted(maps.Keys(tallies)) {
		y := tallies[site]
		if y.missing+y.wrong > 0 {
			f.t.Errorf("%s: of %d queries %d had no answer within %v and %d a wrong one; the first: %s", site, y.asked, y.missing, answerLimit, y.wrong, y.first)
		}
		for name, o := range y.lost {
			switch {
			case name == "app-nyc", slices.Contains(x.mayLose[site], name) && o.times == 1:
				continue
			case slices.Contains(x.mayBlink[site], name) && o.times == 1 && o.total < blinkLimit:
				continue
			}
			f.t.Errorf("%s lost %s %d times, for %v in all, first %v before healing", site, name, o.times, o.total, healed.Sub(o.firstLost))
		}
	}
	if f.t.Failed() {
		for _, e := range f.seen.since(time.Now().Add(-2 * time.Minute)) {
			if e.Message == "service.state" || strings.HasPrefix(e.Message, "mep.session") || strings.HasPrefix(e.Message, "sites.") || strings.HasPrefix(e.Message, "node.susp") {
				f.t.Logf("%6.1f s after healing, %s: %s %s%s %s -> %s %s", e.at.Sub(healed).Seconds(), e.node, e.Message, e.Service, e.Peer, e.From, e.To, e.Reason)
			}
		}
	}
}

// paced is the document with the timeouts of a pace.
func (f *faultLab) paced(p pace) {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "gslb.yaml"))
	if err != nil {
		f.t.Fatal(err)
	}
	wanted := fmt.Sprintf("keepalive_timeout: %v, parent_timeout: %v", p.keepalive, p.keepalive)
	paced := strings.Replace(string(text), "keepalive_timeout: 10s, parent_timeout: 10s", wanted, 1)
	if !strings.Contains(paced, wanted) {
		f.t.Fatal("the document has no timeouts where they are expected")
	}
	f.write("gslb.yaml", []byte(paced))
}
