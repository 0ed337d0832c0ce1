package monitors

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/monitors/probe"
)

// world is a document of services "web" (two addresses) and "db", and a Scheduler for what is bound.
type world struct {
	t       *testing.T
	doc     *config.Document
	network fakeNet
	heard   verdictLog
	s       *Scheduler
}

const (
	web4 = "192.0.2.1:80"
	web6 = "[2001:db8::1]:80"
	db   = "192.0.2.9:5432"
)

// newWorld makes monitors of types tcp (any other name), calculated and passive, and binds some to web; db binds db-ok.
func newWorld(t *testing.T, calculated map[string]*config.CalculatedProbe, bound ...string) *world {
	w := &world{t: t, doc: &config.Document{Services: []config.Service{
		{Name: "web", Port: 80, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}},
		{Name: "db", Port: 5432, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("192.0.2.10")}, Monitors: []config.MonitorBinding{{Monitor: "db-ok"}}},
	}}}
	for _, name := range []string{"web-ok", "db-ok", "other-ok"} {
		m := tcpMonitor(time.Second, 2, 2)
		m.Name, m.Type = name, config.MonitorTCP
		w.doc.Monitors = append(w.doc.Monitors, m)
	}
	w.doc.Monitors = append(w.doc.Monitors, config.Monitor{Name: "behind", Type: config.MonitorPassive, Fall: 2, Rise: 2, Interval: config.Duration(time.Second),
		Passive: &config.PassiveProbe{MinMembers: 2}})
	for name, c := range calculated {
		w.doc.Monitors = append(w.doc.Monitors, config.Monitor{Name: name, Type: config.MonitorCalculated, Interval: config.Duration(5 * time.Second), Calculated: c})
	}
	for _, name := range bound {
		w.doc.Services[0].Monitors = append(w.doc.Services[0].Monitors, config.MonitorBinding{Monitor: name})
	}
	w.s = New(Options{Prober: over(w.network.dial), Verdict: w.heard.add})
	w.set()
	return w
}

func (w *world) set() {
	var bound []probe.Target
	for i := range w.doc.Services {
		s := &w.doc.Services[i]
		for _, b := range s.Monitors {
			m := &w.doc.Monitors[slices.IndexFunc(w.doc.Monitors, func(m config.Monitor) bool { return m.Name == b.Monitor })]
			for _, a := range s.Addresses {
				bound = append(bound, probe.Target{Service: s.Name, Monitor: m, Address: netip.AddrPortFrom(a, uint16(s.Port))})
			}
		}
	}
	probed, calculated := Outline(w.doc, bound)
	w.s.SetTargets(probed, calculated...)
}

// up says which addresses accept; all others refuse.
func (w *world) up(addresses ...string) {
	for _, a := range []string{web4, web6, db, "192.0.2.10:5432"} {
		w.network.set(a, slices.Contains(addresses, a))
	}
}

// last is the last verdict of a monitor at web4.
func (w *world) last(monitor string) Verdict {
	w.t.Helper()
	var out Verdict
	for _, v := range w.heard.of("web") {
		if v.Monitor == monitor && v.Address.String() == web4 {
			out = v
		}
	}
	return out
}

func (w *world) want(monitor, state, words string) Verdict {
	w.t.Helper()
	synctest.Wait()
	v := w.last(monitor)
	if got := v.State.String(); got != state || !strings.Contains(v.Reason, words) {
		w.t.Errorf("%s is %s (%s), want %s with %q", monitor, got, v.Reason, state, words)
	}
	return v
}

func parts(need int, names ...string) *config.CalculatedProbe {
	out := &config.CalculatedProbe{Need: need}
	for _, name := range names {
		monitor, service, _ := strings.Cut(name, "@")
		out.Monitors = append(out.Monitors, config.CalculatedPart{Monitor: monitor, Service: service})
	}
	return out
}

// TestCalculatedDepends: web is UP while it answers, and the database of its site does at one address.
func TestCalculatedDepends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]*config.CalculatedProbe{"all": parts(0, "web-ok", "db-ok@db")}, "all")
		w.up(web4, web6, db)
		inBubble(t, w.s.Run, func() {
			time.Sleep(3 * time.Second)
			w.want("all", "UP", "2 of 2 monitors UP, 2 needed")
			changed := time.Now()
			w.up(web4, web6)
			time.Sleep(3 * time.Second)
			v := w.want("all", "DOWN", "1 of 2 monitors UP, 2 needed: db-ok of db at 192.0.2.")
			if late := v.Since.Sub(changed); late > 2500*time.Millisecond {
				t.Errorf("DOWN %v after the database, want as soon as its monitor is", late)
			}
			if len(v.Parts) != 2 || v.Parts[0].State != Up || v.Parts[1].State != Down || v.Parts[1].Reason != "tcp connect refused" {
				t.Errorf("parts are %+v", v.Parts)
			}
			w.up(web4, web6, "192.0.2.10:5432")
			time.Sleep(3 * time.Second)
			w.want("all", "UP", "2 of 2")
		})
		for _, v := range w.heard.of("web") {
			if v.Monitor != "all" {
				t.Fatalf("a verdict of %s was told, which is not bound to web", v.Monitor)
			}
		}
		if n := w.network.dialed(db); n < 5 || n > 12 {
			t.Errorf("the database was probed %d times in 9 s, want what its own monitor does", n)
		}
	})
}

// TestCalculatedTogether: it changes in the moment in which its part does.
func TestCalculatedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]*config.CalculatedProbe{"outer": parts(0, "inner"), "inner": parts(1, "web-ok", "other-ok")}, "web-ok", "outer")
		w.up(web4, web6)
		inBubble(t, w.s.Run, func() {
			time.Sleep(3 * time.Second)
			w.want("outer", "UP", "1 of 1 monitors UP")
			w.up()
			time.Sleep(5 * time.Second)
			own, outer := w.want("web-ok", "DOWN", "refused"), w.want("outer", "DOWN", "inner at 192.0.2.1:80: 0 of 2 monitors UP, 1 needed")
			if outer.Since.Before(own.Since) || outer.Since.Sub(own.Since) > time.Second {
				t.Errorf("web-ok is DOWN since %v and what is made of it since %v", own.Since, outer.Since)
			}
			w.up(web4, web6)
			time.Sleep(4 * time.Second)
			w.want("outer", "UP", "1 of 1")
		})
	})
}

// TestCalculatedNews: what says the same is told again at its interval, not with each result of a part.
func TestCalculatedNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]*config.CalculatedProbe{"all": parts(0, "web-ok", "other-ok")}, "all")
		w.up(web4, web6)
		inBubble(t, w.s.Run, func() {
			time.Sleep(61 * time.Second)
		})
		n := 0
		for _, v := range w.heard.of("web") {
			if v.Address.String() == web4 {
				n++
			}
		}
		if n < 11 || n > 15 {
			t.Errorf("%d verdicts in a minute with an interval of 5 s, want about 12", n)
		}
	})
}

// TestCalculatedReload: another need counts without waiting for the parts' intervals, and the state is kept meanwhile.
func TestCalculatedReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]*config.CalculatedProbe{"some": parts(1, "web-ok", "db-ok@db")}, "some")
		for i := range w.doc.Monitors {
			w.doc.Monitors[i].Interval = config.Duration(time.Hour)
		}
		w.set()
		w.up(web4, web6)
		inBubble(t, w.s.Run, func() {
			time.Sleep(2 * time.Second)
			w.want("some", "UP", "1 of 2 monitors UP, 1 needed; db-ok of db")
			next := *w.doc
			next.Monitors = slices.Clone(w.doc.Monitors)
			last := &next.Monitors[len(next.Monitors)-1]
			last.Calculated = parts(0, "web-ok", "db-ok@db")
			w.doc = &next
			w.set()
			time.Sleep(time.Second)
			v := w.want("some", "DOWN", "1 of 2 monitors UP, 2 needed: db-ok of db")
			if !v.Changed {
				t.Error("the change is not told as one")
			}
			next.Services[0].Monitors = nil
			w.set()
			before := len(w.heard.of("web"))
			time.Sleep(2 * time.Hour)
			if after := len(w.heard.of("web")); after != before {
				t.Errorf("%d verdicts of a monitor that is not bound any more", after-before)
			}
		})
	})
}

// TestCalculatedProbedNow: what web depends on is probed on demand, too.
func TestCalculatedProbedNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]*config.CalculatedProbe{"all": parts(0, "web-ok", "db-ok@db")}, "all")
		for i := range w.doc.Monitors {
			w.doc.Monitors[i].Interval, w.doc.Monitors[i].Fall = config.Duration(time.Hour), 1
		}
		w.set()
		w.up(web4, web6, db)
		inBubble(t, w.s.Run, func() {
			time.Sleep(2 * time.Second)
			w.want("all", "UP", "2 of 2")
			w.up(web4, web6)
			if err := w.s.ProbeNow(t.Context(), "web", 0); err != nil {
				t.Fatal(err)
			}
			w.want("all", "DOWN", "db-ok of db")
		})
	})
}

// TestSum is the arithmetic: what follows from parts that are up, draining, failing, recovering, down or unknown.
func TestSum(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	kinds := map[string]Verdict{
		"up":         {State: Up, Reason: "connected", Successes: 5},
		"draining":   {State: Up, Reason: "status 503 drains", Draining: true, Successes: 5},
		"failing":    {State: Up, Reason: "refused", Failures: 1},
		"down":       {State: Down, Reason: "refused", Failures: 5},
		"recovering": {State: Down, Reason: "connected", Successes: 1},
		"unknown":    {},
	}
	tests := []struct {
		parts, want string // a part: ages come by place: the first is the newest
		need        int
	}{
		{"up up", "UP age 2", 2},
		{"up up up", "UP age 1", 1},
		{"up down", "UP age 1", 1},
		{"up down", "DOWN failing age 2", 2},
		{"up unknown", "UP age 1", 1},
		{"up unknown", "UNKNOWN age 1", 2},
		{"down unknown", "UNKNOWN age 1", 1},
		{"down unknown", "DOWN failing age 1", 2},
		{"down down down", "DOWN failing age 2", 2},
		{"up failing", "UP age 1", 1},
		{"up failing", "UP failing age 2", 2},
		{"failing up up", "UP age 2", 2},
		{"up recovering", "DOWN age 2", 2},
		{"recovering down", "DOWN failing age 1", 2},
		{"draining up", "UP draining age 2", 2},
		{"draining up", "UP age 1", 1},
		{"draining draining down", "UP draining age 2", 2},
		{"draining unknown", "UP draining age 1", 1},
		{"up/down", "UP age 1", 1},
		{"draining/up", "UP age 1", 1},
		{"down/unknown", "UNKNOWN age 1", 1},
		{"down/recovering", "DOWN age 1", 1},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.need, " of ", tt.parts), func(t *testing.T) {
			var c sum
			for i, part := range strings.Fields(tt.parts) {
				var voices []voice
				for kind := range strings.SplitSeq(part, "/") {
					v := kinds[kind]
					if v.State != Unknown {
						v.At = at.Add(-time.Duration(i+1) * time.Second)
					}
					voices = append(voices, &probed{target: target("web", web4, tcpMonitor(time.Second, 1, 1)), last: v})
				}
				c.add(fmt.Sprint("m", i), "", voices)
			}
			v := c.verdict(tt.need)
			got := v.State.String()
			if v.Draining {
				got += " draining"
			}
			if v.Failures > 0 {
				got += " failing"
			}
			if got += fmt.Sprintf(" age %.0f", at.Sub(v.At).Seconds()); strings.HasPrefix(got, "UNKNOWN") {
				got = "UNKNOWN age 1"
			}
			if got != tt.want {
				t.Errorf("got %s (%s), want %s", got, v.Reason, tt.want)
			}
		})
	}
}

// TestOutline: nested ones are made once, and what cannot be looked at says why.
func TestOutline(t *testing.T) {
	w := newWorld(t, map[string]*config.CalculatedProbe{"a": parts(0, "b", "web-ok"), "b": parts(0, "web-ok", "gone", "db-ok@nowhere", "db-ok@db"), "c": parts(0, "b")}, "a", "c")
	var bound []probe.Target
	for _, name := range []string{"a", "c"} {
		m := &w.doc.Monitors[slices.IndexFunc(w.doc.Monitors, func(m config.Monitor) bool { return m.Name == name })]
		bound = append(bound, probe.Target{Service: "web", Monitor: m, Address: netip.MustParseAddrPort(web4)})
	}
	probed, calculated := Outline(w.doc, bound)
	if len(probed) != 0 || len(calculated) != 3 {
		t.Fatalf("%d probed and %d calculated, want 0 and a, b, c", len(probed), len(calculated))
	}
	for _, c := range calculated {
		if unbound := c.Monitor.Name == "b"; c.Unbound != unbound {
			t.Errorf("%s is unbound: %t", c.Monitor.Name, c.Unbound)
		}
		if c.Monitor.Name != "b" {
			continue
		}
		var got []string
		for _, p := range c.Parts {
			got = append(got, fmt.Sprintf("%s %d%s", p.Name, len(p.Targets), p.Absent))
		}
		want := "web-ok 1, gone 0there is no such monitor, db-ok of nowhere 0service nowhere has no address now, db-ok of db 2"
		if strings.Join(got, ", ") != want {
			t.Errorf("parts of b: %s", strings.Join(got, ", "))
		}
	}
}

// TestCalculatedOfCalculated: what is made of calculated monitors counts as soon as it is in the document, and is probed on demand.
func TestCalculatedOfCalculated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]*config.CalculatedProbe{"outer": parts(0, "middle"), "middle": parts(0, "inner@db"), "inner": parts(0, "db-ok")}, "web-ok")
		for i := range w.doc.Monitors {
			w.doc.Monitors[i].Interval, w.doc.Monitors[i].Fall = config.Duration(time.Hour), 1
		}
		w.doc.Services[1].Monitors = append(w.doc.Services[1].Monitors, config.MonitorBinding{Monitor: "inner"})
		w.set()
		w.up(web4, web6, db)
		inBubble(t, w.s.Run, func() {
			time.Sleep(2 * time.Second)
			w.doc.Services[0].Monitors = []config.MonitorBinding{{Monitor: "outer"}}
			w.set()
			time.Sleep(time.Second)
			w.want("outer", "UP", "1 of 1")
			w.up(web4, web6)
			before := w.network.dialed(db)
			if err := w.s.ProbeNow(t.Context(), "web", 0); err != nil {
				t.Error(err)
			}
			w.want("outer", "DOWN", "inner of db at 192.0.2.")
			if n := w.network.dialed(db) - before; n != 1 {
				t.Errorf("the database was probed %d times, want once", n)
			}
		})
	})
}

// TestCalculatedReloadUnderWay: a result that is told while SetTargets makes everything anew is not lost for what is made of it.
func TestCalculatedReloadUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]*config.CalculatedProbe{"outer": parts(0, "inner"), "inner": parts(0, "web-ok")}, "web-ok", "outer")
		for i := range w.doc.Monitors {
			w.doc.Monitors[i].Interval, w.doc.Monitors[i].Fall = config.Duration(time.Hour), 1
		}
		set := false // while web-ok's verdict is told, before what is made of it
		w.s.verdict = func(v Verdict) {
			w.heard.add(v)
			if v.Monitor == "web-ok" && v.State == Down && v.Address.String() == web4 && !set {
				set = true
				w.set()
				w.set()
			}
		}
		w.set()
		w.up(web4, web6)
		inBubble(t, w.s.Run, func() {
			time.Sleep(2 * time.Second)
			w.want("outer", "UP", "1 of 1")
			w.up(web6)
			if err := w.s.ProbeNow(t.Context(), "web", 0); err != nil {
				t.Error(err)
			}
			w.want("web-ok", "DOWN", "refused")
			w.want("outer", "DOWN", "inner at 192.0.2.1:80")
		})
		if !set {
			t.Error("nothing was set meanwhile")
		}
	})
}

// TestCalculatedRemovedUnderWay: of what was removed meanwhile nothing is told.
func TestCalculatedRemovedUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]*config.CalculatedProbe{"one": parts(0, "web-ok")}, "web-ok", "one")
		w.up(web4, web6)
		removed := false
		w.s.verdict = func(v Verdict) {
			if w.heard.add(v); v.Address.String() != web4 {
				return // told by a goroutine of its own
			}
			if removed && v.Monitor == "one" {
				t.Errorf("%s of a monitor that was removed is told", v.State)
			}
			if v.Monitor == "web-ok" && v.State == Down && !removed {
				removed = true
				w.doc.Services[0].Monitors = w.doc.Services[0].Monitors[:1]
				w.set()
			}
		}
		inBubble(t, w.s.Run, func() {
			time.Sleep(3 * time.Second)
			w.want("one", "UP", "1 of 1")
			w.up()
			time.Sleep(10 * time.Second)
			w.want("web-ok", "DOWN", "refused")
		})
		if !removed {
			t.Error("nothing was removed")
		}
	})
}
