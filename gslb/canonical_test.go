package gslb

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"fairlead/config"
)

// bare is the status without numbers and doubts: by states alone.
func bare(s *Snapshot) *Snapshot {
	status := &Status{At: s.Status.At, Held: s.Status.Held, Ordered: s.Status.Ordered, Services: make([]ServiceStatus, len(s.Status.Services))}
	for i := range status.Services {
		st := &s.Status.Services[i]
		status.Services[i] = ServiceStatus{State: st.State, Without4: st.Without4, Without6: st.Without6}
	}
	return NewSnapshot(s.Generation+1, s.Plan, status, nil)
}

// TestCanonicalIsWhatIsDecidedByStates compares canonical decisions with what Decide answers when nothing but states is known,
// in random worlds; numbers, sessions and doubts change no canonical decision.
func TestCanonicalIsWhatIsDecidedByStates(t *testing.T) {
	t.Parallel()
	chosen, several, resorts := 0, 0, 0
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 11))
		w := randomWorld(r)
		w.doc.Settings.Answers.Coherent = false
		s, _ := w.snapshotHeld(t)
		without := bare(s)
		sample := NewSample(&w.doc, s.Plan)
		c, again := s.Canonical(sample), without.Canonical(sample)
		l := NewLearned(s.Plan)
		for i := range sample.Questions() {
			q := sample.Question(i).Query
			d, plain := c.Decide(i), again.Decide(i)
			if c.Digest(&d) != again.Digest(&plain) {
				t.Fatalf("seed %d, question %d: %+v, without numbers %+v", seed, i, d, plain)
			}
			for range 3 {
				want := Decide(without, q, l, epoch, nil)
				if want.Outcome != d.Outcome || want.VirtualServer != d.VirtualServer || want.TTL != d.TTL && want.Reason != ReasonAllDown && d.Outcome == OutcomeServices {
					t.Fatalf("seed %d, question %d %+v: canonical %+v, decided %+v", seed, i, q, d, want)
				}
				if want.Outcome != OutcomeServices {
					continue
				}
				first := want.Services[0]
				if !slices.Contains(d.Usable, first) || d.ChosenOK && d.Chosen != first {
					t.Fatalf("seed %d, question %d %+v: canonical %+v, decided %+v", seed, i, q, d, want)
				}
				switch {
				case want.Reason == ReasonAllDown:
					resorts++
				case d.ChosenOK && len(d.Usable) > 1:
					chosen++
				case !d.ChosenOK:
					several++
				}
			}
		}
	}
	if chosen < 100 || several < 100 || resorts < 100 {
		t.Errorf("%d choices that follow, %d of one of several, %d last resorts: the worlds are too much alike", chosen, several, resorts)
	}
}

// TestCanonicalTellsWhatDiffers: what changes an answer changes its digest, and numbers do not.
func TestCanonicalTellsWhatDiffers(t *testing.T) {
	from := func(change func(w *world)) (uint64, string) {
		w := newWorld()
		w.site("ams", "EU.NL")
		w.site("nyc", "NA.US")
		w.service("web-ams", "ams", Up, "192.0.2.1", "2001:db8::1")
		w.service("web-nyc", "nyc", Up, "192.0.2.2", "2001:db8::2")
		w.service("spare", "nyc", Up, "192.0.2.3")
		w.virtualServer(config.VirtualServer{Name: "www", Domains: domains("www.example.com"), Method: config.LeastConnection, Backup: "b",
			Members: []config.Member{{Service: "web-ams", Weight: 1, Order: 1}, {Service: "web-nyc", Weight: 1, Order: 1}}})
		w.virtualServer(config.VirtualServer{Name: "b", Method: config.RoundRobin, Members: []config.Member{{Service: "spare", Weight: 1, Order: 1}}})
		change(w)
		s, _ := w.snapshot(t)
		c := s.Canonical(NewSample(&w.doc, s.Plan))
		d := c.Decide(0)
		return c.Digest(&d), c.Describe(&d)
	}
	base, text := from(func(*world) {})
	if want := "one of web-ams, web-nyc of www"; text != want {
		t.Errorf("got %q, want %q", text, want)
	}
	for _, tt := range []struct {
		name   string
		change func(w *world)
		differ bool
		want   string
	}{
		{"loads", func(w *world) { w.load("web-ams", 100, time.Second) }, false, "one of web-ams, web-nyc of www"},
		{"one is down", func(w *world) { w.state("web-nyc", Down) }, true, "web-ams of www"},
		{"its IPv4 address is", func(w *world) { w.without("web-nyc", true, false) }, true, "web-ams of www"},
		{"all are", func(w *world) { w.state("web-nyc", Down).state("web-ams", Unknown) }, true, "spare of b"},
		{"and the backup", func(w *world) { w.state("web-nyc", Down).state("web-ams", Down).state("spare", Down) }, true, "web-ams, web-nyc of www, all down"},
	} {
		got, text := from(tt.change)
		if got != base != tt.differ || text != tt.want {
			t.Errorf("%s: %x (base %x), %q, want %q", tt.name, got, base, text, tt.want)
		}
	}
}

// TestSample: the same document has the same sample, big ones are sampled evenly, and what the document says of clients is
// asked for.
func TestSample(t *testing.T) {
	big := sampleWorld(2000, 3, 0)
	for i := range 5000 {
		big.location(netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24).String(), "EU.NL")
	}
	s, _ := big.snapshot(t)
	one, other := NewSample(&big.doc, s.Plan), NewSample(&big.doc, s.Plan)
	if one.Questions() != MaxSampleNames*SampleClients || !slices.Equal(one.questions, other.questions) {
		t.Fatalf("%d questions, and the same again: %v", one.Questions(), slices.Equal(one.questions, other.questions))
	}
	keys, names, written, families := map[uint64]bool{}, [4]int{}, 0, map[string]int{}
	for i := range one.Questions() {
		q := one.Question(i)
		keys[q.Key] = true
		names[int(q.Query.Domain)*4/2000]++
		if q.Client.Addr().Is4() && q.Client.Addr().As4()[0] == 20 {
			written++
		}
		_, family, client := one.Text(i)
		families[fmt.Sprint(family, client.Addr().Is4())]++
		if !q.Query.Subnet.IsValid() || q.Query.Subnet.Bits() < 24 || !q.Query.Subnet.Contains(q.Query.LDNS) {
			t.Fatalf("question %d: %+v", i, q)
		}
	}
	if len(keys) != one.Questions() {
		t.Errorf("%d keys of %d questions", len(keys), one.Questions())
	}
	for quarter, n := range names {
		if n < 150 || n > 370 {
			t.Errorf("quarter %d of the names has %d questions", quarter, n)
		}
	}
	if written < 200 || len(families) != 4 || families["Atrue"] != MaxSampleNames {
		t.Errorf("%d questions of written clients; by families %v", written, families)
	}
	small := sampleWorld(1, 2, 0)
	s, _ = small.snapshot(t)
	if n := NewSample(&small.doc, s.Plan).Questions(); n != SampleClients {
		t.Errorf("%d questions of one name", n)
	}
}

// sampleWorld has many names with so many members each.
func sampleWorld(names, members, methods int) *world {
	w := newWorld()
	w.site("ams", "EU.NL", 52, 5)
	w.site("nyc", "NA.US", 40, -74)
	for i := range members {
		w.service(fmt.Sprintf("s%d", i), []string{"ams", "nyc"}[i%2], Up, fmt.Sprintf("192.0.2.%d", i+1), fmt.Sprintf("2001:db8::%d", i+1))
	}
	for i := range names {
		v := config.VirtualServer{Name: fmt.Sprintf("v%d", i), Domains: domains(fmt.Sprintf("n%d.example.com", i)), Method: oracleMethods[(i*methods)%len(oracleMethods)],
			BackupMethod: config.SourceIPHashing, MaxAnswers: 1}
		for j := range members {
			v.Members = append(v.Members, config.Member{Service: fmt.Sprintf("s%d", j), Weight: 1, Order: 1})
		}
		w.virtualServer(v)
	}
	return w
}

func BenchmarkCanonical(b *testing.B) {
	w := sampleWorld(300, 8, 1)
	s, _ := w.snapshot(b)
	sample := NewSample(&w.doc, s.Plan)
	b.ReportAllocs()
	for b.Loop() {
		c, sum := s.Canonical(sample), uint64(0)
		for i := range sample.Questions() {
			d := c.Decide(i)
			sum += c.Digest(&d)
		}
	}
}
