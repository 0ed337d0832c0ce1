package agree

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// threeSites has ams, nyc and sin, of which ams and nyc are in the mesh and answer DNS.
const threeSites = `
zones: [{name: example.test, nameservers: [ns.example.test], ttl: 30s, records: "ns 60 A 192.0.2.53"}]
sites:
  - {name: ams, address: 192.0.2.1, location: {latitude: 52.4, longitude: 4.9}}
  - {name: nyc, address: 198.51.100.1, location: {latitude: 40.7, longitude: -74}}
  - {name: sin, address: 203.0.113.1, parent: nyc}
locations: [{prefix: 10.0.0.0/8, latitude: 52, longitude: 5}]
services:
  - {name: web-ams, site: ams, addresses: [192.0.2.80]}
  - {name: web-nyc, site: nyc, addresses: [198.51.100.80]}
  - {name: web-sin, site: sin, addresses: [203.0.113.80]}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: least-connection, members: [{service: web-ams}, {service: web-nyc}, {service: web-sin}]}
  - {name: near, domains: [{name: near.example.test}], method: static-proximity, members: [{service: web-ams}, {service: web-nyc}]}
`

// fakeSites are sites whose beliefs a test makes, and who tell each other of them.
type fakeSites struct {
	t    testing.TB
	plan *gslb.Plan
	doc  *config.Document

	mu    sync.Mutex
	sites map[string]*fakeSite
	tells int
	asks  map[string]int // by site that asks
}

type fakeSite struct {
	*Agreement
	status    []gslb.ServiceStatus
	document  [32]byte
	overrides []mep.OverrideRecord
	files     []File
	skew      time.Duration
	since     time.Time
	answer    func(body []byte) ([]byte, error) // in place of its own
}

func newFakeSites(t testing.TB, text string, names ...string) *fakeSites {
	t.Helper()
	doc, report := config.Parse(config.Source{Name: "test.yaml", Text: []byte(text)})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeSites{t: t, plan: plan, doc: doc, sites: map[string]*fakeSite{}, asks: map[string]int{}}
	for _, name := range names {
		s := &fakeSite{status: make([]gslb.ServiceStatus, plan.Services()), document: [32]byte{1}, since: time.Now()}
		for i := range s.status {
			s.status[i] = gslb.ServiceStatus{State: gslb.Up, Reason: "monitor web-ok: 3 of 3 passed", Since: time.Now()}
		}
		s.Agreement = New(Options{Site: name,
			View: func(now time.Time) (View, bool) { return f.view(s, now), true },
			Tell: func(d mep.DecisionsDigest, to func(string) bool) { f.tell(name, d, to) },
			Ask:  func(ctx context.Context, to string, body []byte) ([]byte, error) { return f.ask(name, to, body) },
			Skew: func(string) (time.Duration, bool) { f.mu.Lock(); defer f.mu.Unlock(); return s.skew, true },
		})
		f.sites[name] = s
	}
	return f
}

// run runs all sites until the function it returns is called.
func (f *fakeSites) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, s := range f.sites {
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				f.t.Error(err)
			}
		})
	}
	return func() { cancel(); running.Wait() }
}

func (f *fakeSites) view(s *fakeSite, now time.Time) View {
	f.mu.Lock()
	defer f.mu.Unlock()
	status := &gslb.Status{At: now, Services: append([]gslb.ServiceStatus(nil), s.status...)}
	return View{DocumentID: s.document, Document: f.doc, Since: s.since, Snapshot: gslb.NewSnapshot(1, f.plan, status, nil),
		Overrides: append([]mep.OverrideRecord(nil), s.overrides...), Files: append([]File(nil), s.files...)}
}

const onTheWay = 50 * time.Millisecond

func (f *fakeSites) tell(from string, d mep.DecisionsDigest, to func(string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tells++
	for name, s := range f.sites {
		if name != from && to(name) {
			time.AfterFunc(onTheWay, func() {
				s.Heard(&mep.DecisionsReport{Peer: from, DecisionsDigest: d, ReceivedAt: time.Now()})
			})
		}
	}
}

func (f *fakeSites) ask(from, to string, body []byte) ([]byte, error) {
	time.Sleep(onTheWay)
	f.mu.Lock()
	f.asks[from]++
	s := f.sites[to]
	answer := s.answer
	f.mu.Unlock()
	if answer != nil {
		return answer(body)
	}
	return s.Answer(body)
}

// asked returns how many questions a site has asked.
func (f *fakeSites) asked(site string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asks[site]
}

// change changes what a site believes.
func (f *fakeSites) change(site string, how func(s *fakeSite)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how(f.sites[site])
}

// service is the belief of a site about a service.
func (f *fakeSites) service(s *fakeSite, name string) *gslb.ServiceStatus {
	i, ok := f.plan.ServiceByName(name)
	if !ok {
		f.t.Fatal(name)
	}
	return &s.status[i]
}

// of is how a site compares with another.
func (f *fakeSites) of(site, other string) PeerStatus {
	for _, p := range f.sites[site].Status() {
		if p.Site == other {
			return p
		}
	}
	return PeerStatus{}
}

func down(f *fakeSites, service string) func(s *fakeSite) {
	return func(s *fakeSite) {
		*f.service(s, service) = gslb.ServiceStatus{State: gslb.Down, Reason: "monitor web-ok: connect: no route to host", Since: time.Now()}
	}
}

// TestDifferencesAreNamed makes two sites differ in each way. Both name it within half a minute, and see that it is over when
// it is.
func TestDifferencesAreNamed(t *testing.T) {
	override := mep.OverrideRecord{Kind: 1, Action: 2, Revision: 7, Age: time.Minute, Remaining: time.Hour, Name: "web-ams", Site: "ams", Owner: "kim", Reason: "kernel"}
	city := File{Name: "city.mmdb", Digest: 0xabc, Size: 61_000_000, Made: time.Unix(1_700_000_000, 0)}
	older := File{Name: "city.mmdb", Digest: 0xdef, Size: 60_000_000, Made: time.Unix(1_690_000_000, 0)}
	for _, tt := range []struct {
		name   string
		nyc    func(f *fakeSites, s *fakeSite) // changes nyc
		ams    func(f *fakeSites, s *fakeSite) // and ams; nil: nothing
		causes []Cause
		object string
		want   string // as ams sees it
		other  string // as nyc does
	}{
		{"health", func(f *fakeSites, s *fakeSite) { down(f, "web-nyc")(s) }, nil, []Cause{CauseHealth}, "web-nyc",
			"web-nyc is UP (monitor web-ok: 3 of 3 passed) here and DOWN (monitor web-ok: connect: no route to host) at nyc",
			"web-nyc is DOWN (monitor web-ok: connect: no route to host) here and UP (monitor web-ok: 3 of 3 passed) at ams"},
		{"a family", func(f *fakeSites, s *fakeSite) { f.service(s, "web-sin").Without4 = true }, nil, []Cause{CauseHealth}, "web-sin",
			"web-sin is UP (monitor web-ok: 3 of 3 passed) here and UP without IPv4 (monitor web-ok: 3 of 3 passed) at nyc", ""},
		{"an override that has not arrived", func(f *fakeSites, s *fakeSite) {
			f.service(s, "web-ams").State = gslb.Disabled
			s.overrides = append(s.overrides, override)
		}, nil, []Cause{CauseOverride, CauseHealth}, "disable of service web-ams",
			"disable of service web-ams is known at nyc and not here: given by kim at ams: kernel",
			"disable of service web-ams is known here and not at ams: given by kim at ams: kernel"},
		{"a location file", func(f *fakeSites, s *fakeSite) { s.files = []File{older} }, func(f *fakeSites, s *fakeSite) { s.files = []File{city} },
			[]Cause{CauseLocation}, "city.mmdb",
			"location file city.mmdb is 61000000 octets of 2023-11-14, digest 0000000000000abc here and 60000000 octets of 2023-07-22, digest 0000000000000def at nyc", ""},
		{"an aged load", func(f *fakeSites, s *fakeSite) { f.service(s, "web-ams").Load = gslb.Load{Active: 4, At: time.Now()} },
			func(f *fakeSites, s *fakeSite) { f.service(s, "web-ams").Load = gslb.Load{Active: 4, At: time.Now()} },
			[]Cause{CauseLoadAge}, "web-ams", "load of web-ams is 0 s old here and 3", ""},
		{"a clock", func(_ *fakeSites, s *fakeSite) { s.skew = -31 * time.Second }, func(_ *fakeSites, s *fakeSite) { s.skew = 31 * time.Second },
			[]Cause{CauseClock}, "nyc", "the clock of nyc is 31s ahead of this node's", "the clock of ams is 31s behind this node's"},
		{"a document", func(_ *fakeSites, s *fakeSite) { s.document = [32]byte{'d', 'e', 'f'} }, func(_ *fakeSites, s *fakeSite) { s.document = [32]byte{'a'} },
			[]Cause{CauseDocument}, "nyc", "nyc serves document def", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeSites(t, threeSites, "ams", "nyc")
				defer f.run()()
				time.Sleep(5*time.Minute + 300*time.Millisecond)
				for _, way := range [][2]string{{"ams", "nyc"}, {"nyc", "ams"}} {
					if p := f.of(way[0], way[1]); p.State != Agrees || len(p.Findings) > 0 {
						t.Fatalf("before: %s of %s: %+v", way[0], way[1], p)
					}
				}
				before := map[string]fakeSite{}
				for name, s := range f.sites {
					kept := *s
					kept.status = append([]gslb.ServiceStatus(nil), s.status...)
					before[name] = kept
				}
				f.change("nyc", func(s *fakeSite) { tt.nyc(f, s) })
				f.change("ams", func(s *fakeSite) {
					if tt.ams != nil {
						tt.ams(f, s)
					}
				})
				limit := 30
				if tt.name == "an aged load" {
					limit += 5 // until it is
				}
				for range limit {
					time.Sleep(time.Second)
					f.change("ams", func(s *fakeSite) {
						if load := &f.service(s, "web-ams").Load; !load.At.IsZero() {
							load.At = time.Now() // it is told of every second
						}
					})
				}
				f.named(t, "ams", "nyc", tt.causes, tt.object, tt.want)
				f.named(t, "nyc", "ams", tt.causes, "", tt.other)
				for name := range f.sites {
					f.change(name, func(s *fakeSite) {
						b := before[name]
						s.status, s.overrides, s.files, s.skew, s.document = b.status, b.overrides, b.files, b.skew, b.document
					})
				}
				time.Sleep(20 * time.Second)
				for _, way := range [][2]string{{"ams", "nyc"}, {"nyc", "ams"}} {
					p := f.of(way[0], way[1])
					if p.State != Agrees || len(p.Findings) > 0 || time.Since(p.Since) > 20*time.Second || p.Disagreements[tt.causes[0]] != 1 {
						t.Errorf("afterwards: %s of %s: %+v", way[0], way[1], p)
					}
				}
			})
		})
	}
}

// named checks what a site says of another.
func (f *fakeSites) named(t *testing.T, site, other string, causes []Cause, object, text string) {
	t.Helper()
	p := f.of(site, other)
	var got []Cause
	for _, finding := range p.Findings {
		got = append(got, finding.Cause)
	}
	if p.State != Differs || fmt.Sprint(got) != fmt.Sprint(causes) {
		t.Fatalf("%s of %s: %+v, want %v", site, other, p, causes)
	}
	if o := p.Findings[0].Objects[0]; object != "" && o.Name != object || !strings.HasPrefix(o.Text, text) {
		t.Errorf("%s of %s:\n got %q: %q\nwant %q: %q", site, other, o.Name, o.Text, object, text)
	}
}

// TestManyDifferencesAreBounded: of many services that differ sixteen are named, with few questions, and again only when it is time.
func TestManyDifferencesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSites(t, manyServices(1500), "ams", "nyc")
		defer f.run()()
		time.Sleep(time.Minute)
		f.change("nyc", func(s *fakeSite) {
			for i := range 500 {
				s.status[i*3].State, s.status[i*3].Since = gslb.Down, time.Now()
			}
		})
		time.Sleep(30 * time.Second)
		p := f.of("ams", "nyc")
		if len(p.Findings) != 1 || p.Findings[0].Cause != CauseHealth || len(p.Findings[0].Objects) != MaxObjects || !p.Findings[0].More {
			t.Fatalf("%+v", p)
		}
		seen := map[string]bool{}
		for _, o := range p.Findings[0].Objects {
			if i, ok := f.plan.ServiceByName(o.Name); !ok || i%3 != 0 || seen[o.Name] {
				t.Errorf("%q does not differ, or is named twice: %s", o.Name, o.Text)
			}
			seen[o.Name] = true
		}
		before := f.asked("ams")
		time.Sleep(100 * time.Second)
		if asked := f.asked("ams") - before; asked == 0 || asked > 10*5 {
			t.Errorf("%d questions in 100 s", asked)
		}
	})
}

func manyServices(n int) string {
	var b strings.Builder
	b.WriteString("zones: [{name: example.test, nameservers: [ns.example.test], ttl: 30s, records: \"ns 60 A 192.0.2.53\"}]\n" +
		"sites: [{name: ams, address: 192.0.2.1}, {name: nyc, address: 198.51.100.1}]\nservices:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {name: s%d, site: ams, addresses: [10.%d.%d.%d]}\n", i, i>>16, i>>8&255, i&255)
	}
	b.WriteString("virtual_servers:\n")
	for i := range n / 5 {
		fmt.Fprintf(&b, "  - {name: v%d, domains: [{name: v%d.example.test}], method: source-ip-hash, members: [", i, i)
		for j := range 5 {
			fmt.Fprintf(&b, "{service: s%d}, ", i*5+j)
		}
		b.WriteString("]}\n")
	}
	return b.String()
}

// TestEqualSitesNeverDiffer: however states and loads change, while all that happens reaches both within a metrics interval
// and 200 ms, neither says that the other differs.
func TestEqualSitesNeverDiffer(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			f := newFakeSites(t, manyServices(40), "ams", "nyc")
			defer f.run()()
			end := time.Now().Add(10 * time.Minute)
			pause := []time.Duration{50 * time.Millisecond, time.Second, 4 * time.Second, 20 * time.Second}[seed]
			for time.Now().Before(end) {
				time.Sleep(time.Duration(r.Int64N(int64(2 * pause))))
				owner, other := "ams", "nyc"
				if r.IntN(2) == 0 {
					owner, other = other, owner
				}
				i, state, load := r.IntN(20)*2, []gslb.State{gslb.Up, gslb.Down, gslb.Unknown, gslb.Draining}[r.IntN(4)], uint64(r.IntN(1000))
				if owner == "nyc" {
					i++ // each service is one site's
				}
				at := time.Now()
				set := func(s *fakeSite) {
					if s.status[i].Load.At.After(at) {
						return // overtaken
					}
					s.status[i].Load = gslb.Load{Active: load, At: at}
					if s.status[i].State != state {
						s.status[i].State, s.status[i].Since = state, time.Now()
					}
				}
				f.change(owner, set)
				time.AfterFunc(time.Duration(r.Int64N(int64(1200*time.Millisecond))), func() { f.change(other, set) })
				for _, way := range [][2]string{{"ams", "nyc"}, {"nyc", "ams"}} {
					if p := f.of(way[0], way[1]); p.State == Differs {
						t.Fatalf("seed %d: %s says of %s: %+v", seed, way[0], way[1], p)
					}
				}
			}
			if p := f.of("ams", "nyc"); pause > time.Second && p.State != Agrees {
				t.Errorf("seed %d: after all: %+v", seed, p)
			}
		})
	}
}

// TestWhoIsCompared: sites in the mesh that answer DNS, for as long as they tell.
func TestWhoIsCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSites(t, threeSites, "ams", "nyc", "sin")
		stop := f.run()
		time.Sleep(time.Minute)
		if got := f.sites["ams"].Status(); len(got) != 1 || got[0].Site != "nyc" || got[0].State != Agrees {
			t.Errorf("ams compares %+v", got)
		}
		if got := f.sites["sin"].Status(); len(got) != 0 {
			t.Errorf("sin, a child, compares %+v", got)
		}
		f.sites["ams"].Lost("nyc")
		if p := f.of("ams", "nyc"); p.State != Unknown {
			t.Errorf("without a session: %+v", p)
		}
		time.Sleep(time.Minute)
		if p := f.of("ams", "nyc"); p.State != Agrees {
			t.Errorf("when it tells again: %+v", p)
		}
		stop()
		alone := f.sites["ams"]
		alone.turn(t.Context(), time.Now().Add(silence+2*tick))
		if p := f.of("ams", "nyc"); p.State != Unknown {
			t.Errorf("after a silence: %+v", p)
		}
	})
}

// TestHostileAnswers: whatever a peer tells and answers, the work is bounded, and what cannot be found out is said so.
func TestHostileAnswers(t *testing.T) {
	random := func(n int) []byte {
		r, b := rand.New(rand.NewPCG(1, uint64(n))), make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		b[0] = messageVersion
		return b
	}
	for name, answer := range map[string]func(body []byte) ([]byte, error){
		"refuses": func([]byte) ([]byte, error) { return nil, errors.New("no") },
		"nothing": func([]byte) ([]byte, error) { return nil, nil },
		"garbage": func([]byte) ([]byte, error) { return random(40_000), nil },
		"everything differs at every depth": func(body []byte) ([]byte, error) {
			q, err := decodeQuestion(body)
			if err != nil || q.mode == modeItems {
				return append([]byte{messageVersion}, make([]byte, len(q.spans))...), err
			}
			return random(1 + len(q.spans)*fan*sumSize), nil
		},
		"slow": func([]byte) ([]byte, error) { time.Sleep(3 * time.Second); return nil, errors.New("late") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeSites(t, threeSites, "ams")
				f.sites["nyc"] = &fakeSite{Agreement: New(Options{Site: "nyc"}), answer: answer}
				r := rand.New(rand.NewPCG(1, 2))
				ctx, cancel := context.WithCancel(t.Context())
				var running sync.WaitGroup
				running.Go(func() { _ = f.sites["ams"].Run(ctx) })
				time.Sleep(2 * time.Second)
				for range 1200 { // two minutes of ten a second
					d := mep.DecisionsDigest{Document: [32]byte{1}, Decisions: r.Uint64(), Buckets: []uint64{r.Uint64()}, Causes: []uint64{1, 2, 3, 4, 5, 6}}
					f.sites["ams"].Heard(&mep.DecisionsReport{Peer: "nyc", DecisionsDigest: d, ReceivedAt: time.Now()})
					f.sites["ams"].Heard(&mep.DecisionsReport{Peer: "stranger", DecisionsDigest: d, ReceivedAt: time.Now()})
					time.Sleep(100 * time.Millisecond)
				}
				cancel()
				running.Wait()
				if asks := f.asked("ams"); asks == 0 || asks > 13*maxAsks {
					t.Errorf("%d questions in two minutes", asks)
				}
				if p := f.of("ams", "nyc"); p.State != Differs || len(p.Findings[0].Objects) == 0 {
					t.Errorf("%+v", p)
				}
				if got := f.sites["ams"].Status(); len(got) != 1 {
					t.Errorf("compared with %+v", got)
				}
			})
		})
	}
}

// TestStatusIsACopy: who reads it changes nothing.
func TestStatusIsACopy(t *testing.T) {
	a := New(Options{Site: "ams"})
	a.peers["nyc"] = &peer{PeerStatus: PeerStatus{Site: "nyc", Disagreements: map[Cause]uint64{CauseClock: 1}}}
	maps.DeleteFunc(a.Status()[0].Disagreements, func(Cause, uint64) bool { return true })
	if a.peers["nyc"].Disagreements[CauseClock] != 1 {
		t.Error("a status shares its counts")
	}
}
