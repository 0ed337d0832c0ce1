package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
)

// fakeNames is what resolvers say, by DNS name.
type fakeNames struct {
	mu        sync.Mutex
	four, six map[string]familyAnswer
	asked     []time.Time
	wait      time.Duration // before an answer
	under     int
	most      int // questions at once
}

func (f *fakeNames) ask(ctx context.Context, a *config.Autoscale) (four, six familyAnswer) {
	f.mu.Lock()
	f.asked = append(f.asked, time.Now())
	f.under++
	f.most = max(f.most, f.under)
	four, six = f.four[a.Name], f.six[a.Name]
	f.mu.Unlock()
	select {
	case <-time.After(f.wait):
	case <-ctx.Done():
		four, six = familyAnswer{err: ctx.Err()}, familyAnswer{err: ctx.Err()}
	}
	f.mu.Lock()
	f.under--
	f.mu.Unlock()
	return four, six
}

func (f *fakeNames) say(name string, four, six familyAnswer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.four[name], f.six[name] = four, six
}

func newFakeNames() *fakeNames {
	return &fakeNames{four: map[string]familyAnswer{}, six: map[string]familyAnswer{}}
}

func addresses(texts ...string) familyAnswer {
	var a familyAnswer
	for _, text := range texts {
		a.addresses = append(a.addresses, netip.MustParseAddr(text))
	}
	return a
}

func withTTL(a familyAnswer, ttl time.Duration) familyAnswer {
	a.ttl = ttl
	return a
}

func failing(why string) familyAnswer { return familyAnswer{err: errors.New(why)} }

// autoscaledDocument has one group with settings.
func autoscaledDocument(settings config.Autoscale) *config.Document {
	settings.Name = "pods.test"
	if settings.Max == 0 {
		settings.Max = 64
	}
	return &config.Document{
		ServiceGroups:  []config.ServiceGroup{{Name: "web", Site: "here", Autoscale: &settings, State: config.ServiceEnabled}},
		VirtualServers: []config.VirtualServer{{Name: "web", Members: []config.Member{{Group: "web", Weight: 1, Order: 1}}}},
	}
}

// services names the services of a document with those that drain in brackets.
func services(doc *config.Document) string {
	var out []string
	for _, s := range doc.Services {
		name := strings.TrimPrefix(s.Name, "web:")
		if s.State == config.ServiceDraining {
			name = "(" + name + ")"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func TestGroupFollowsItsName(t *testing.T) {
	second := func(n int) config.Duration { return config.Duration(time.Duration(n) * time.Second) }
	good := addresses("192.0.2.2", "192.0.2.1")
	type step struct {
		four, six familyAnswer
		want      string
		fails     bool
	}
	tests := []struct {
		name     string
		settings config.Autoscale
		steps    []step
	}{
		{"both families, sorted", config.Autoscale{}, []step{{good, addresses("2001:db8::1"), "192.0.2.1 192.0.2.2 2001-db8--1", false}}},
		{"a set that changes", config.Autoscale{}, []step{
			{good, addresses(), "192.0.2.1 192.0.2.2", false},
			{addresses("192.0.2.2", "192.0.2.3"), addresses(), "192.0.2.2 192.0.2.3", false}}},
		{"no answer keeps the last set", config.Autoscale{}, []step{
			{good, addresses(), "192.0.2.1 192.0.2.2", false},
			{failing("timeout"), failing("timeout"), "192.0.2.1 192.0.2.2", true},
			{addresses("192.0.2.1"), addresses(), "192.0.2.1", false}}},
		{"NXDOMAIN keeps the last set", config.Autoscale{}, []step{
			{good, addresses(), "192.0.2.1 192.0.2.2", false},
			{failing("NXDOMAIN"), failing("NXDOMAIN"), "192.0.2.1 192.0.2.2", true}}},
		{"an empty answer keeps the last set", config.Autoscale{}, []step{
			{good, addresses(), "192.0.2.1 192.0.2.2", false},
			{addresses(), addresses(), "192.0.2.1 192.0.2.2", true}}},
		{"one family that is not answered keeps its last set", config.Autoscale{}, []step{
			{good, addresses("2001:db8::1"), "192.0.2.1 192.0.2.2 2001-db8--1", false},
			{addresses("192.0.2.9"), failing("SERVFAIL"), "192.0.2.9 2001-db8--1", true},
			{addresses("192.0.2.9"), addresses(), "192.0.2.9", false}}},
		{"a family that was never had and fails does no harm", config.Autoscale{}, []step{{good, failing("SERVFAIL"), "192.0.2.1 192.0.2.2", true}}},
		{"nothing yet", config.Autoscale{}, []step{{failing("timeout"), failing("timeout"), "", true}}},
		{"more than max", config.Autoscale{Max: 2}, []step{{addresses("192.0.2.3", "192.0.2.1", "192.0.2.2"), addresses(), "192.0.2.1 192.0.2.2", false}}},
		{"what is gone drains", config.Autoscale{Delay: second(60)}, []step{
			{good, addresses(), "192.0.2.1 192.0.2.2", false},
			{addresses("192.0.2.2"), addresses(), "(192.0.2.1) 192.0.2.2", false}}},
		{"what comes back does not drain", config.Autoscale{Delay: second(60)}, []step{
			{good, addresses(), "192.0.2.1 192.0.2.2", false},
			{addresses("192.0.2.2"), addresses(), "(192.0.2.1) 192.0.2.2", false},
			{good, addresses(), "192.0.2.1 192.0.2.2", false}}},
		{"what drains has no more room than max", config.Autoscale{Delay: second(60), Max: 2}, []step{
			{good, addresses(), "192.0.2.1 192.0.2.2", false},
			{addresses("192.0.2.8", "192.0.2.9"), addresses(), "192.0.2.8 192.0.2.9", false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAutoscale(zap.NewNop(), nil)
			doc := autoscaledDocument(tt.settings)
			a.adopt(doc)
			now, before := time.Now(), services(a.expanded(doc))
			for i, s := range tt.steps {
				changed := a.note(resolution{group: "web", name: "pods.test", four: s.four, six: s.six}, now)
				got := services(a.expanded(doc))
				if got != s.want {
					t.Errorf("step %d: services %q, want %q", i, got, s.want)
				}
				if changed != (got != before) {
					t.Errorf("step %d: changed is %t from %q to %q", i, changed, before, got)
				}
				st := a.status()[0]
				if (st.Failure != "") != s.fails {
					t.Errorf("step %d: failure is %q", i, st.Failure)
				}
				before, now = got, now.Add(time.Second)
			}
		})
	}
}

// TestGroupIsAskedForInTime: at the interval, later when the TTL is longer, and again at the interval after a failure.
func TestGroupIsAskedForInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := newFakeNames()
		logged, logs := observer.New(zap.InfoLevel)
		changes := 0
		a := newAutoscale(zap.New(logged), func() { changes++ })
		a.ask = names.ask
		doc := autoscaledDocument(config.Autoscale{Interval: config.Duration(10 * time.Second), Delay: config.Duration(30 * time.Second)})
		a.adopt(doc)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		names.say("pods.test", withTTL(addresses("192.0.2.1", "192.0.2.2"), 5*time.Second), addresses())
		began := time.Now()
		go func() { ended <- a.run(ctx) }()

		time.Sleep(11 * time.Second) // asked at 0 and 10
		names.say("pods.test", withTTL(addresses("192.0.2.2"), time.Minute), addresses())
		time.Sleep(10 * time.Second) // asked at 20, and not before 80
		if got, want := services(a.expanded(doc)), "(192.0.2.1) 192.0.2.2"; got != want {
			t.Errorf("services after 21 s: %q, want %q", got, want)
		}
		time.Sleep(30 * time.Second) // the delay is over at 50
		if got, want := services(a.expanded(doc)), "192.0.2.2"; got != want {
			t.Errorf("services after 51 s: %q, want %q", got, want)
		}
		names.say("pods.test", failing("timeout"), failing("timeout"))
		time.Sleep(50 * time.Second) // asked at 80, 90 and 100
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		var at []int
		for _, when := range names.asked {
			at = append(at, int(when.Sub(began).Seconds()))
		}
		if want := []int{0, 10, 20, 80, 90, 100}; !slices.Equal(at, want) {
			t.Errorf("asked after %v s, want %v", at, want)
		}
		if changes != 3 {
			t.Errorf("%d changes were told, want 3: two addresses, one that drains, one that is gone", changes)
		}
		if st := a.status()[0]; st.Failures != 3 || !strings.Contains(st.Failure, "timeout") || len(st.Addresses) != 1 {
			t.Errorf("status is %+v", st)
		}
		if n := logs.FilterMessage("group.failing").Len(); n != 1 {
			t.Errorf("the log tells of the failure %d times, want once", n)
		}
	})
}

// TestGroupsAreAskedForAtOnce: many groups are asked for side by side, but not all; a change of all of them is not told
// one by one.
func TestGroupsAreAskedForAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 100
		names, changes := newFakeNames(), 0
		names.wait = time.Second
		a := newAutoscale(zap.NewNop(), func() { changes++; time.Sleep(100 * time.Millisecond) })
		a.ask = names.ask
		doc := &config.Document{}
		for i := range count {
			name := fmt.Sprintf("g%d", i)
			names.say(name, withTTL(addresses("192.0.2.1"), time.Hour), addresses())
			doc.ServiceGroups = append(doc.ServiceGroups, config.ServiceGroup{Name: name, Autoscale: &config.Autoscale{Name: name, Max: 9, Interval: config.Duration(time.Hour)}})
		}
		a.adopt(doc)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.run(ctx) }()
		time.Sleep(30 * time.Second)
		cancel()
		<-ended
		if names.most != maxAsking || len(names.asked) != count {
			t.Errorf("%d questions, %d at once; want %d, %d at once", len(names.asked), names.most, count, maxAsking)
		}
		if changes == 0 || changes > count/maxAsking+1 {
			t.Errorf("changes were told %d times, want at most once for every %d answers", changes, maxAsking)
		}
		if got := len(a.expanded(doc).Services); got != count {
			t.Errorf("%d services, want %d", got, count)
		}
	})
}

// TestFirstAnswersAreWaitedFor, but not long.
func TestFirstAnswersAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := newFakeNames()
		names.say("pods.test", addresses("192.0.2.1"), addresses())
		names.wait = time.Second
		a := newAutoscale(zap.NewNop(), nil)
		a.ask = names.ask
		doc := autoscaledDocument(config.Autoscale{Interval: config.Duration(time.Minute)})
		a.adopt(doc)
		if a.first(t.Context()); services(a.expanded(doc)) != "192.0.2.1" {
			t.Errorf("services after the first answers: %q", services(a.expanded(doc)))
		}
		if a.first(t.Context()); len(names.asked) != 1 {
			t.Error("what is known was asked for again")
		}
		other := newAutoscale(zap.NewNop(), nil)
		other.ask = names.ask
		names.wait = time.Hour
		other.adopt(doc)
		began := time.Now()
		if other.first(t.Context()); services(other.expanded(doc)) != "" || time.Since(began) != firstAnswers {
			t.Errorf("waited %v for a resolver that says nothing, want %v", time.Since(began), firstAnswers)
		}
	})
}

// runningAutoscale is an autoscale that runs until the test ends, its slow names, and a document with a group that it has not
// adopted yet.
func runningAutoscale(t *testing.T) (*autoscale, *fakeNames, *config.Document) {
	names := newFakeNames()
	names.say("pods.test", addresses("192.0.2.1"), addresses())
	names.wait = time.Second
	a := newAutoscale(zap.NewNop(), func() {})
	a.ask = names.ask
	ended := make(chan error)
	go func() { ended <- a.run(t.Context()) }()
	t.Cleanup(func() { <-ended })
	synctest.Wait()
	return a, names, autoscaledDocument(config.Autoscale{Interval: config.Duration(time.Minute)})
}

// TestFirstAnswersAreWaitedForByAll: also when run asks for the group already.
func TestFirstAnswersAreWaitedForByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, doc := runningAutoscale(t)
		a.adopt(doc)
		synctest.Wait() // run asks now
		if a.first(t.Context()); services(a.expanded(doc)) != "192.0.2.1" {
			t.Errorf("services after the first answers: %q", services(a.expanded(doc)))
		}
	})
}

// TestGroupIsFollowedAfterItsFirstAnswer: run wakes while a reload waits for the answer, and has nothing to do then.
func TestGroupIsFollowedAfterItsFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, names, doc := runningAutoscale(t)
		a.mu.Lock()
		a.groups = map[string]*autoscaled{"web": a.restored(&doc.ServiceGroups[0])} // as adopt has it before it wakes run
		a.mu.Unlock()
		go a.first(t.Context())
		synctest.Wait() // first asks now
		a.adopt(doc)
		time.Sleep(3 * time.Minute)
		if names.mu.Lock(); len(names.asked) != 3 {
			t.Errorf("asked at %v, want a question and two more, a minute apart", names.asked)
		}
		names.mu.Unlock()
	})
}

// TestGroupWithoutAnswerIsAskedForAgain soon, whatever its interval, and at another resolver at once.
func TestGroupWithoutAnswerIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := newFakeNames()
		names.say("pods.test", failing("timeout"), failing("timeout"))
		a := newAutoscale(zap.NewNop(), func() {})
		a.ask = names.ask
		settings := config.Autoscale{Interval: config.Duration(24 * time.Hour), Resolver: "192.0.2.53"}
		a.adopt(autoscaledDocument(settings))
		ctx, cancel := context.WithCancel(t.Context())
		ended, began := make(chan error), time.Now()
		go func() { ended <- a.run(ctx) }()
		time.Sleep(failedInterval - time.Second)
		names.mu.Lock()
		names.wait = 3 * time.Second // the old resolver is asked at 30 s, and fails at 33
		names.mu.Unlock()
		time.Sleep(2 * time.Second)
		settings.Resolver = "192.0.2.54"
		a.adopt(autoscaledDocument(settings))
		time.Sleep(3 * time.Second)
		cancel()
		<-ended
		var at []int
		for _, when := range names.asked {
			at = append(at, int(when.Sub(began).Seconds()))
		}
		if want := []int{0, 30, 33}; !slices.Equal(at, want) {
			t.Errorf("asked after %v s, want %v", at, want)
		}
	})
}

// TestWhatIsGoneIsBounded: a name whose addresses are others each time takes no more memory than its limit, and those that
// left last are the ones that drain.
func TestWhatIsGoneIsBounded(t *testing.T) {
	a := newAutoscale(zap.NewNop(), nil)
	doc := autoscaledDocument(config.Autoscale{Max: 4, Delay: config.Duration(24 * time.Hour)})
	a.adopt(doc)
	now := time.Now()
	for n := range 100 {
		a.note(resolution{group: "web", name: "pods.test", four: addresses(fmt.Sprintf("198.51.100.%d", 200-n), fmt.Sprintf("192.0.2.%d", 200-n))}, now)
		now = now.Add(time.Second)
	}
	if got, want := services(a.expanded(doc)), "192.0.2.101 (192.0.2.102) 198.51.100.101 (198.51.100.102)"; got != want {
		t.Errorf("services %q, want %q", got, want)
	}
	if n := len(a.groups["web"].leaving); n > 4 {
		t.Errorf("%d addresses that are gone are remembered, want at most 4", n)
	}
}

// TestGroupsOfAnotherDocument: what is known of a group stays when the document changes, unless it follows another name.
func TestGroupsOfAnotherDocument(t *testing.T) {
	a := newAutoscale(zap.NewNop(), nil)
	doc := autoscaledDocument(config.Autoscale{})
	a.adopt(doc)
	a.note(resolution{group: "web", name: "pods.test", four: addresses("192.0.2.1", "192.0.2.2", "192.0.2.3"), six: addresses()}, time.Now())
	smaller := autoscaledDocument(config.Autoscale{Max: 2})
	if got := services(a.expanded(smaller)); got != "192.0.2.1 192.0.2.2" {
		t.Errorf("before another limit was adopted: %q", got)
	}
	a.adopt(smaller)
	if got := services(a.expanded(doc)); got != "192.0.2.1 192.0.2.2 192.0.2.3" {
		t.Errorf("before a higher limit was adopted: %q", got)
	}
	if got := services(a.expanded(smaller)); got != "192.0.2.1 192.0.2.2" {
		t.Errorf("with another limit: %q", got)
	}
	if st := a.status()[0]; st.LeftOut != 1 {
		t.Errorf("status is %+v, want one left out", st)
	}
	renamed := autoscaledDocument(config.Autoscale{})
	renamed.ServiceGroups[0].Autoscale.Name = "others.test"
	if got := services(a.expanded(renamed)); got != "" {
		t.Errorf("before another name was adopted: %q", got)
	}
	a.adopt(renamed)
	if a.note(resolution{group: "web", name: "pods.test", four: addresses("192.0.2.1"), six: addresses()}, time.Now()) {
		t.Error("a late answer to the old name counts")
	}
	if got := services(a.expanded(renamed)); got != "" {
		t.Errorf("under another name: %q", got)
	}
	if a.adopt(&config.Document{}); len(a.status()) != 0 {
		t.Error("a group that is gone is followed")
	}
}

// TestKeptGroups: what is kept comes back for the same group and name only, within its limit, and without what no client
// could use.
func TestKeptGroups(t *testing.T) {
	path := filepath.Join(t.TempDir(), groupsFile)
	doc := autoscaledDocument(config.Autoscale{})
	before := newAutoscale(zap.NewNop(), nil)
	before.restore(path)
	before.adopt(doc)
	before.keep() // nothing yet
	before.note(resolution{group: "web", name: "pods.test", four: addresses("192.0.2.2", "192.0.2.1"), six: addresses("2001:db8::1")}, time.Now())
	before.keep()
	tests := []struct {
		name     string
		settings config.Autoscale
		change   func(text string) string
		want     string
	}{
		{"the same", config.Autoscale{}, nil, "192.0.2.1 192.0.2.2 2001-db8--1"},
		{"a lower limit", config.Autoscale{Max: 1}, nil, "192.0.2.1"},
		{"another name", config.Autoscale{}, func(text string) string { return strings.ReplaceAll(text, "pods.test", "other.test") }, ""},
		{"another group", config.Autoscale{}, func(text string) string { return strings.ReplaceAll(text, `"web"`, `"wed"`) }, ""},
		{"addresses that nobody could use", config.Autoscale{}, func(text string) string { return strings.ReplaceAll(text, "192.0.2.2", "0.0.0.0") }, "192.0.2.1 2001-db8--1"},
		{"words that are no addresses", config.Autoscale{}, func(text string) string { return strings.ReplaceAll(text, "192.0.2.2", "web") }, ""},
		{"a file that is cut off", config.Autoscale{}, func(text string) string { return text[:len(text)/2] }, ""},
		{"a file too large", config.Autoscale{}, func(text string) string { return strings.Repeat(" ", maxGroupsFile) + text }, ""},
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), groupsFile)
			changed := string(text)
			if tt.change != nil {
				changed = tt.change(changed)
			}
			if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			a := newAutoscale(zap.NewNop(), nil)
			a.restore(file)
			doc := autoscaledDocument(tt.settings)
			if got := services(a.expanded(doc)); got != tt.want {
				t.Errorf("before it is adopted: %q, want %q", got, tt.want)
			}
			a.adopt(doc)
			if got := services(a.expanded(doc)); got != tt.want {
				t.Errorf("services %q, want %q", got, tt.want)
			}
			if asked := a.start(time.Now(), maxAsking, func(s *autoscaled) bool { return !s.answered }); len(asked) != 1 {
				t.Error("the start does not ask for what was only kept")
			}
		})
	}
}
