package node

import (
	"context"
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

	"fairlead/config"
	"fairlead/mep"
)

// announcedDocument has a group of what edge announces as web.
func announcedDocument(most int) *config.Document {
	return &config.Document{
		Sites:    []config.Site{{Name: "ams", Address: "192.0.2.1"}, {Name: "edge", Address: "192.0.2.2", Parent: "ams", AcceptAnnounced: true}},
		Services: []config.Service{{Name: "fixed", Site: "edge"}},
		ServiceGroups: []config.ServiceGroup{
			{Name: "web", Site: "edge", Port: 80, Announced: &config.Announced{Label: "web", Max: most}},
			{Name: "static", Site: "edge", Members: []config.GroupMember{{Name: "a"}}},
		},
		VirtualServers: []config.VirtualServer{{Name: "v", Members: []config.Member{{Group: "web", Weight: 2}}}},
	}
}

// announces is a record that announces a service of the label web, or of the one before a slash of its name.
func announces(name, address string) mep.ServiceRecord {
	label, name, found := strings.Cut(name, "/")
	if !found {
		label, name = "web", label
	}
	n := &mep.Announcement{Label: label, Weight: 1, Port: 8080}
	for a := range strings.FieldsSeq(address) {
		if at := netip.MustParseAddr(a); at.Is4() {
			n.IPv4 = at
		} else {
			n.IPv6 = at
		}
	}
	return mep.ServiceRecord{Name: name, State: mep.StateUp, Announced: n}
}

func reported(set uint64, records ...mep.ServiceRecord) *mep.ServicesReport {
	return &mep.ServicesReport{Peer: "edge", Site: "edge", Incarnation: 1, Set: set, Records: records, ReceivedAt: time.Now()}
}

// groupServices lists the services of the group web; what is disabled in parentheses.
func groupServices(a *announced, doc *config.Document) string {
	var out []string
	for _, s := range doc.ExpandedWith(nil, a.members(doc)).Services {
		if name, ok := strings.CutPrefix(s.Name, "web:"); ok {
			if s.State == config.ServiceDisabled {
				name = "(" + name + ")"
			}
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}

func newTestAnnounced(doc *config.Document) (*announced, *[]mep.Event) {
	var passed []mep.Event
	a := newAnnounced(zap.NewNop(), func() {}, func(e mep.Event) { passed = append(passed, e) })
	a.adopt(doc)
	return a, &passed
}

func TestAnnouncedServices(t *testing.T) {
	one, two, three := announces("one", "192.0.2.11"), announces("two", "192.0.2.12 2001:db8::12"), announces("three", "192.0.2.13")
	for _, tt := range []struct {
		name          string
		events        []mep.Event
		want          string
		refused, left int
	}{
		{"none", nil, "", 0, 0},
		{"some", []mep.Event{reported(1, two, one)}, "one two", 0, 0},
		{"one is withdrawn", []mep.Event{reported(1, two, one), reported(2, two)}, "(one) two", 0, 0},
		{"and comes back", []mep.Event{reported(1, two, one), reported(2, two), reported(3, two, one)}, "one two", 0, 0},
		{"more than there is room for: those that came first stay", []mep.Event{reported(1, two, three), reported(2, one, two, three)}, "three two", 0, 1},
		{"the site stops as planned", []mep.Event{reported(1, two, one), &mep.PeerLeaving{Peer: "edge", At: time.Now()}, &mep.SessionDown{Peer: "edge", Left: true}}, "(one) (two)", 0, 0},
		{"another site stops", []mep.Event{reported(1, two, one), &mep.PeerLeaving{Peer: "nyc", At: time.Now()}}, "one two", 0, 0},
		{"the site is lost", []mep.Event{reported(1, two, one), &mep.SessionDown{Peer: "edge"}}, "one two", 0, 0},
		{"it stops, as who hears it tells", []mep.Event{reported(1, two, one), &mep.SiteReach{Peer: "edge", Site: "edge", Reach: mep.ReachLeft, At: time.Now()}}, "(one) (two)", 0, 0},
		{"it stops, as one tells who has not told of it", []mep.Event{reported(1, two, one), &mep.SiteReach{Peer: "nyc", Site: "edge", Reach: mep.ReachLeft}}, "one two", 0, 0},
		{"another label", []mep.Event{reported(1, announces("db/one", "192.0.2.1"), two)}, "two", 0, 0},
		{"what the document names", []mep.Event{reported(1, announces("fixed", "192.0.2.1"), two)}, "two", 0, 0},
		{"another site", []mep.Event{&mep.ServicesReport{Peer: "nyc", Site: "nyc", Records: []mep.ServiceRecord{one}}}, "", 0, 0},
		{"addresses that nobody can use", []mep.Event{reported(1, announces("a", "127.0.0.1"), announces("b", "0.0.0.0"), announces("c", "224.0.0.1"),
			announces("d", "169.254.1.1"), announces("e", "fe80::1"), announces("f", "::ffff:192.0.2.1"), announces("g", ""), announces("h", "192.0.2.1 ::1"), announces("i", "255.255.255.255"), one)}, "one", 9, 0},
		{"names that cannot be", []mep.Event{reported(1, announces("a:b", "192.0.2.1"), announces(strings.Repeat("x", 124), "192.0.2.1"), one)}, "one", 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := announcedDocument(2)
			a, passed := newTestAnnounced(doc)
			for _, e := range tt.events {
				a.hear(e)
			}
			if got := groupServices(a, doc); got != tt.want {
				t.Errorf("services %q, want %q", got, tt.want)
			}
			if s := a.status()[0]; s.Refused != tt.refused || s.LeftOut != tt.left || (s.Failure != "") != (tt.refused > 0) {
				t.Errorf("status %+v, want %d refused and %d left out", s, tt.refused, tt.left)
			}
			if len(*passed) != len(tt.events) {
				t.Errorf("%d events were handed on, want all %d", len(*passed), len(tt.events))
			}
		})
	}
}

// TestAnnouncedServicesAreNamed: belief is told of them by the names they have here, and of nothing that is not one.
func TestAnnouncedServicesAreNamed(t *testing.T) {
	doc := announcedDocument(1)
	a, passed := newTestAnnounced(doc)
	first := reported(1, announces("one", "192.0.2.1"), mep.ServiceRecord{Name: "fixed"}, announces("two", "192.0.2.2"))
	a.hear(first)
	again := reported(2, first.Records...)
	again.Records = first.Records
	a.hear(again)
	for i, e := range *passed {
		var names []string
		for _, r := range e.(*mep.ServicesReport).Records {
			names = append(names, r.Name)
		}
		if want := []string{"web:one", "fixed"}; !slices.Equal(names, want) || e.(*mep.ServicesReport).Set != uint64(i+1) {
			t.Errorf("report %d: names %v of set %d, want %v", i, names, e.(*mep.ServicesReport).Set, want)
		}
	}
	if first.Records[0].Name != "one" {
		t.Error("a report that others read was written to")
	}
	services := doc.ExpandedWith(nil, a.members(doc))
	i := slices.IndexFunc(services.Services, func(s config.Service) bool { return s.Name == "web:one" })
	if s := services.Services[i]; s.Site != "edge" || s.Port != 8080 || s.Load == nil || s.Load.Source != config.LoadPush || s.Addresses[0] != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("service is %+v", s)
	}
	if m := services.VirtualServers[0].Members; len(m) != 1 || m[0].Service != "web:one" || m[0].Weight != 2 {
		t.Errorf("members are %+v", m)
	}
}

// TestAnnouncedServicesAreServed: a change is served soon, and the last report is told again then; what is withdrawn goes after a time.
func TestAnnouncedServicesAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doc := announcedDocument(4)
		var a *announced
		var mu sync.Mutex
		var log []string
		began := time.Now()
		note := func(text string) {
			mu.Lock()
			defer mu.Unlock()
			log = append(log, fmt.Sprintf("%v %s", time.Since(began), text))
		}
		a = newAnnounced(zap.NewNop(), func() { note(groupServices(a, doc)) }, func(e mep.Event) {
			if r, ok := e.(*mep.ServicesReport); ok {
				note(fmt.Sprintf("report %d", r.Set))
			}
		})
		a.adopt(doc)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.run(ctx) }()
		synctest.Wait()
		a.hear(reported(1, announces("one", "192.0.2.1"), announces("two", "192.0.2.2")))
		time.Sleep(time.Second)
		a.hear(reported(2, announces("two", "192.0.2.2")))
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		want := []string{"0s report 1", "100ms one two", "100ms report 1", "1s report 2", "1.1s (one) two", "1.1s report 2", "11.1s two", "11.1s report 2"}
		if !slices.Equal(log, want) {
			t.Errorf("got  %q\nwant %q", log, want)
		}
	})
}

// TestAnnouncedServicesAreKept over a restart, for the same site and label.
func TestAnnouncedServicesAreKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), announcedFile)
	doc := announcedDocument(4)
	a, _ := newTestAnnounced(doc)
	a.restore(path)
	a.hear(reported(1, announces("two", "192.0.2.2"), announces("one", "192.0.2.1 2001:db8::1")))
	a.keep()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"the same", "", "", "one two"}, {"another label", `"label":"web"`, `"label":"db"`, ""}, {"another site", `"edge"`, `"nyc"`, ""},
		{"an address that nobody can use", "192.0.2.2", "224.0.0.1", "one"}, {"no JSON", "{", "", ""}, {"too large", "[", strings.Repeat(" ", maxAnnouncedFile) + "[", ""},
		{"a name twice", `"two"`, `"one"`, "one"},
	} {
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), tt.old, tt.new)), 0o600); tt.old != "" && err != nil {
			t.Fatal(err)
		}
		next := newAnnounced(zap.NewNop(), func() {}, func(mep.Event) {})
		next.restore(path)
		if got := groupServices(next, doc); got != tt.want {
			t.Errorf("%s: services %q before the document is adopted, want %q", tt.name, got, tt.want)
		}
		if next.adopt(doc); groupServices(next, doc) != tt.want {
			t.Errorf("%s: services %q, want %q", tt.name, groupServices(next, doc), tt.want)
		}
		next.adopt(&config.Document{})
		if next.adopt(doc); groupServices(next, doc) != "" {
			t.Errorf("%s: a group that left the document and came back has services %q from before the start", tt.name, groupServices(next, doc))
		}
	}
}

// TestAnnouncedGroupsOfAnotherDocument have at once what the site told last.
func TestAnnouncedGroupsOfAnotherDocument(t *testing.T) {
	a, _ := newTestAnnounced(announcedDocument(1))
	a.hear(reported(1, announces("two", "192.0.2.2"), announces("one", "192.0.2.1"), announces("db/x", "192.0.2.3")))
	more := announcedDocument(4)
	more.ServiceGroups = append(more.ServiceGroups, config.ServiceGroup{Name: "db", Site: "edge", Announced: &config.Announced{Label: "db", Max: 4}})
	a.adopt(more)
	if got := groupServices(a, more); got != "one two" {
		t.Errorf("services %q, want one two", got)
	}
	if s := a.status(); len(s) != 2 || s[0].Group != "db" || !slices.Equal(s[0].Members, []string{"x"}) {
		t.Errorf("status %+v", s)
	}
	a.adopt(&config.Document{})
	if len(a.status()) != 0 {
		t.Error("groups that are gone are followed")
	}
}
