package sites

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
)

// world is a tracker of one site among p1, p2, p3, which are in the mesh, and children, each with one service of its name, that is
// UP when the world begins. A child reports to p1, and if its name begins with a "c" also to p2 and p3.
type world struct {
	t     *testing.T
	tr    *Tracker
	doc   *config.Document
	now   time.Time
	told  []string // transitions since newWorld returned
	index map[string]int
	set   uint64
}

func newWorld(t *testing.T, own string, change func(*config.Document), children ...string) *world {
	t.Helper()
	doc := &config.Document{Monitors: []config.Monitor{{Name: "m", Type: config.MonitorTCP}}}
	m := &doc.Settings.MEP
	m.KeepaliveTimeout, m.MetricsInterval = config.Duration(10*time.Second), config.Duration(time.Second)
	m.ParentTimeout, m.ParentReturn = config.Duration(10*time.Second), config.Duration(time.Minute)
	doc.Settings.Damping = config.DampingSettings{MinHold: config.Duration(2 * time.Second), HalfLife: config.Duration(time.Minute),
		Suppress: 3000, Reuse: 1000, MaxSuppress: config.Duration(5 * time.Minute)}
	doc.Settings.Suspicion = config.SuspicionSettings{Share: 50, Targets: 3, Window: config.Duration(30 * time.Second), Longest: config.Duration(10 * time.Minute)}
	for i, name := range append([]string{"p1", "p2", "p3"}, children...) {
		s := config.Site{Name: name}
		if i >= 3 {
			if s.Parent = "p1"; name[0] == 'c' {
				s.BackupParents = []string{"p2", "p3"}
			}
		}
		doc.Sites = append(doc.Sites, s)
		doc.Services = append(doc.Services, config.Service{Name: name, Site: name, Port: 80, State: config.ServiceEnabled,
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}})
	}
	if change != nil {
		change(doc)
	}
	w := &world{t: t, now: epoch, doc: doc}
	w.tr = New(Options{Site: own, Transition: func(tr Transition) {
		w.told = append(w.told, fmt.Sprintf("%s %s", tr.Service, tr.To))
	}})
	w.adopt(doc)
	return w
}

func (w *world) adopt(doc *config.Document) {
	w.t.Helper()
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.doc = doc
	w.tr.SetDocument(doc, plan, w.now)
	w.index = map[string]int{}
	for i := range doc.Services {
		w.index[doc.Services[i].Name] = i
	}
}

// do plays words: up=SITE, down=SITE, leaving=SITE (sessions), heard=SITE@PEER, lost=SITE@PEER, left=SITE@PEER (reach),
// tell=SITE@PEER (it reports UP), tells=SITE@PEER (DOWN), wait=TIME, status.
func (w *world) do(story string) {
	w.t.Helper()
	for word := range strings.FieldsSeq(story) {
		key, value, _ := strings.Cut(word, "=")
		site, peer, _ := strings.Cut(value, "@")
		reach := map[string]mep.Reach{"heard": mep.ReachHeard, "lost": mep.ReachLost, "left": mep.ReachLeft}
		switch key {
		case "up":
			w.tr.Peer(&mep.SessionUp{Peer: site, At: w.now}, noneHanded)
		case "down":
			w.tr.Peer(&mep.SessionDown{Peer: site, At: w.now}, noneHanded)
		case "leaving":
			w.tr.Peer(&mep.PeerLeaving{Peer: site, At: w.now}, noneHanded)
			w.tr.Peer(&mep.SessionDown{Peer: site, Left: true, At: w.now}, noneHanded)
		case "heard", "lost", "left":
			w.tr.Peer(&mep.SiteReach{Peer: peer, Site: site, Reach: reach[key], At: w.now}, noneHanded)
		case "tell", "tells":
			state := mep.StateUp
			if key == "tells" {
				state = mep.StateDown
			}
			if peer == "" {
				peer = site
			}
			w.set++
			w.tr.Peer(&mep.ServicesReport{Peer: peer, Site: site, Incarnation: 1, Set: w.set, ReceivedAt: w.now,
				Records: []mep.ServiceRecord{{Name: site, State: state}}}, noneHanded)
		case "status":
			w.status()
		case "wait":
			d, err := time.ParseDuration(value)
			if err != nil {
				w.t.Fatal(err)
			}
			for end := w.now.Add(d); w.now.Before(end); {
				w.now = w.now.Add(min(time.Second, end.Sub(w.now)))
				w.status()
			}
		default:
			w.t.Fatalf("unknown word %q", word)
		}
	}
}

func (w *world) status() *gslb.Status { return w.tr.Status(w.now, noneHanded) }

// begin plays what makes all services UP, and forgets what was told until then.
func (w *world) begin(story string) {
	w.t.Helper()
	w.do(story)
	w.status()
	w.told = nil
}

func (w *world) want(what, service string, state gslb.State, doubt gslb.Reason) {
	w.t.Helper()
	s := w.status().Services[w.index[service]]
	if s.State != state || s.Doubt != doubt {
		w.t.Errorf("%s: %s is %v with doubt %q (%s), want %v with %q", what, service, s.State, s.Doubt, s.Reason, state, doubt)
	}
}

func (w *world) wantTold(what string, want ...string) {
	w.t.Helper()
	if fmt.Sprint(w.told) != fmt.Sprint(want) {
		w.t.Errorf("%s: transitions %v, want %v", what, w.told, want)
	}
}

// children makes the stories of n children.
func children(n int, word, peer string) (names []string, story string) {
	var b strings.Builder
	for i := range n {
		names = append(names, fmt.Sprintf("c%d", i))
		fmt.Fprintf(&b, " %s=c%d%s", word, i, peer)
	}
	return names, b.String()
}

const mesh = "up=p1 up=p2 tell=p1 tell=p2 "

// TestAChildChangesItsParent: a backup parent adopts it, and no state changes anywhere.
func TestAChildChangesItsParent(t *testing.T) {
	third := newWorld(t, "p3", nil, "c")
	third.begin(mesh + "heard=c@p1 tell=c@p1")
	third.do("wait=5s lost=c@p1")
	third.want("lost", "c", gslb.Up, gslb.DoubtLearning)
	third.do("wait=11s")
	third.want("just before it is adopted", "c", gslb.Up, gslb.DoubtLearning)
	third.do("heard=c@p2")
	third.want("heard, nothing reported", "c", gslb.Up, gslb.DoubtLearning)
	third.do("wait=1s tell=c@p2")
	third.want("adopted", "c", gslb.Up, "")
	third.do("wait=1h tell=c@p1")
	third.wantTold("third site")
	if got := third.tr.Sites()[3]; got.Reach != ReachHeard || got.Via != "p1" {
		t.Errorf("after it returned: %+v, want it heard by p1", got)
	}

	for _, way := range []struct{ name, begin, change string }{
		{"at the one that adopts it, with a session kept warm", mesh + "up=c heard=c@p1 tell=c@p1", "lost=c@p1 wait=11s tell=c@c wait=1m"},
		{"at the one that adopts it, without", mesh + "heard=c@p1 tell=c@p1", "lost=c@p1 wait=11s up=c wait=1s tell=c@c wait=1m"},
		{"its parent is lost", mesh + "heard=c@p1 tell=c@p1", "down=p1 wait=11s heard=c@p2 tell=c@p2 wait=1m up=p1 tell=p1"},
		{"at the one that loses it", mesh + "up=c tell=c@c", "down=c wait=11s heard=c@p2 tell=c@p2 wait=1m"},
		{"it comes back in time", mesh + "up=c tell=c@c", "down=c wait=15s up=c wait=1s tell=c@c"},
	} {
		w := newWorld(t, "p3", nil, "c")
		w.begin(way.begin)
		w.do(way.change)
		var told []string
		for _, one := range w.told {
			if strings.HasPrefix(one, "c") {
				told = append(told, one)
			}
		}
		if len(told) > 0 {
			t.Errorf("%s: %v, want no transition", way.name, told)
		}
		w.do("tell=c@" + w.tr.sites["c"].via)
		w.want(way.name, "c", gslb.Up, "")
	}
}

// TestAChildDies: what nobody adopts is DOWN, after the time that a change of parents takes.
func TestAChildDies(t *testing.T) {
	for _, tt := range []struct{ name, child, begin, death string }{
		{"of a relay", "c", "heard=c@p1 tell=c@p1", "lost=c@p1"},
		{"of this site", "c", "up=c tell=c@c", "down=c"},
		{"with a session kept warm", "c", "up=c heard=c@p1 tell=c@p1", "down=c lost=c@p1"},
	} {
		w := newWorld(t, "p3", nil, tt.child)
		w.begin(mesh + tt.begin)
		w.do("wait=1s " + tt.death + " wait=19s")
		w.want(tt.name+", within the time", tt.child, gslb.Up, gslb.DoubtLearning)
		w.do("wait=1s")
		w.want(tt.name+", after it", tt.child, gslb.Down, gslb.DoubtPeerLost)
		w.wantTold(tt.name, tt.child+" DOWN")
		w.do("wait=1h heard=" + tt.child + "@p2 tell=" + tt.child + "@p2")
		w.want(tt.name+", back", tt.child, gslb.Up, "")
	}
	only := newWorld(t, "p3", nil, "only")
	only.begin(mesh + "heard=only@p1 tell=only@p1")
	only.do("lost=only@p1")
	only.want("it has one parent", "only", gslb.Down, gslb.DoubtPeerLost)
}

// TestAParentDies: its fifty children go to another one; its own service is DOWN, theirs are not, and nobody suspects itself.
func TestAParentDies(t *testing.T) {
	names, tells := children(50, "tell", "@p1")
	w := newWorld(t, "p3", nil, names...)
	w.begin(mesh + tells)
	w.do("down=p1 wait=12s")
	if st := w.status(); st.Alarm != "" || st.Isolated != "" {
		t.Errorf("alarm %q, isolated %q; one site was lost", st.Alarm, st.Isolated)
	}
	_, adopted := children(50, "tell", "@p2")
	w.do(adopted + " wait=1m")
	w.wantTold("p1 died", "p1 DOWN")

	// p1 stops as planned, and half of the children stay away.
	_, half := children(25, "tell", "@p2")
	w = newWorld(t, "p3", nil, names...)
	w.begin(mesh + tells)
	w.do("leaving=p1 wait=12s" + half + " wait=1m")
	w.want("adopted", "c24", gslb.Up, gslb.DoubtAged)
	w.want("not adopted", "c25", gslb.Down, gslb.DoubtPeerLost)
	if len(w.told) != 26 || w.told[0] != "p1 DOWN" {
		t.Errorf("%d transitions, the first of %v; want that of p1, then 25", len(w.told), w.told)
	}
}

// TestAPlannedStop: what its site takes away goes at once, whoever says so, and comes back with the next start.
func TestAPlannedStop(t *testing.T) {
	for _, tt := range []struct{ name, begin, stop, start string }{
		{"by a relay", "heard=c@p1 tell=c@p1", "left=c@p1", "heard=c@p1"},
		{"by a session kept warm", "up=c heard=c@p1 tell=c@p1", "leaving=c", "up=c"},
		{"its own word", "up=c tell=c@c", "leaving=c", "up=c"},
		{"then the parent loses it", "heard=c@p1 tell=c@p1", "left=c@p1 lost=c@p1", "heard=c@p1"},
	} {
		w := newWorld(t, "p3", nil, "c")
		w.begin(mesh + tt.begin)
		w.do(tt.stop)
		w.want(tt.name, "c", gslb.Down, gslb.DoubtPeerLost)
		if s := w.status().Services[w.index["c"]]; !strings.Contains(s.Reason, "announced") || w.tr.Sites()[3].Reach != ReachLeft {
			t.Errorf("%s: %q, reach %v; want it to say that it was announced", tt.name, s.Reason, w.tr.Sites()[3])
		}
		w.do("wait=5s " + tt.start + " tell=c@" + w.tr.sites["c"].via)
		w.want(tt.name+", started again", "c", gslb.Up, "")
	}
	w := newWorld(t, "p3", nil, "c")
	w.begin(mesh + "heard=c@p1 tell=c@p1")
	w.do("heard=c@p2 tell=c@p2 left=c@p1")
	w.want("a parent that it has left says that it stopped", "c", gslb.Up, "")
}

// TestOvertaken: of two ways the newer word counts, in whichever order they arrive.
func TestOvertaken(t *testing.T) {
	w := newWorld(t, "p3", nil, "c")
	w.begin(mesh + "tell=c@p1 tell=c@p1 tells=c@p2")
	w.set = 0
	w.do("tell=c@p1")
	w.want("an old report by another way", "c", gslb.Down, "")
}

// TestWhoMaySpeak: what a session says of others counts only for sites of the document, and never for this one.
func TestWhoMaySpeak(t *testing.T) {
	w := newWorld(t, "p3", func(d *config.Document) { d.Sites[1].Foreign = true }, "c")
	w.begin("up=p1 tell=p1")
	for _, e := range []mep.Event{
		&mep.SiteReach{Peer: "p1", Site: "nowhere", Reach: mep.ReachHeard}, &mep.SiteReach{Peer: "nowhere", Site: "c", Reach: mep.ReachHeard},
		&mep.SiteReach{Peer: "p1", Site: "p3", Reach: mep.ReachLeft}, &mep.SiteReach{Peer: "p1", Site: "p2", Reach: mep.ReachHeard},
		&mep.SiteReach{Peer: "p1", Site: "p1", Reach: mep.ReachLeft},
		&mep.ServicesReport{Peer: "p1", Site: "p3", Records: []mep.ServiceRecord{{Name: "p3", State: mep.StateDown}}},
		&mep.ServicesReport{Peer: "p1", Site: "p2", Records: []mep.ServiceRecord{{Name: "p2", State: mep.StateDown}}},
	} {
		if w.tr.Peer(e, noneHanded) {
			t.Errorf("%+v changed belief", e)
		}
	}
	w.tr.Peer(&mep.ServicesReport{Peer: "p1", Site: "c", Records: []mep.ServiceRecord{{Name: "p1", State: mep.StateDown}}}, noneHanded)
	w.want("said in another's name", "p1", gslb.Up, "")
	w.want("a foreign one without monitors", "p2", gslb.Up, "")
}

// TestMonitorsOfAChild: while a child may change its parent, its last word counts where it did before, unless monitors have lost
// sight of the service since.
func TestMonitorsOfAChild(t *testing.T) {
	for _, tt := range []struct {
		name          string
		trigger       config.TriggerMonitors
		before, after monitors.State
		want          gslb.State
	}{
		{"they never saw it", config.TriggerMEPDown, monitors.Down, monitors.Down, gslb.Up},
		{"they lost it, too", config.TriggerMEPDown, monitors.Up, monitors.Down, gslb.Down},
		{"they see it", config.TriggerMEPDown, monitors.Up, monitors.Up, gslb.Up},
		{"they always count", config.TriggerAlways, monitors.Down, monitors.Down, gslb.Down},
	} {
		w := newWorld(t, "p3", func(d *config.Document) {
			d.Sites[3].TriggerMonitors, d.Services[3].Monitors = tt.trigger, []config.MonitorBinding{{Monitor: "m", Weight: 1}}
		}, "c")
		probe := func(s monitors.State) {
			w.tr.Verdict(monitors.Verdict{Service: "c", Monitor: "m", Address: netip.AddrPortFrom(w.doc.Services[3].Addresses[0], 80), State: s, At: w.now})
		}
		probe(tt.before)
		w.begin(mesh + "heard=c@p1 tell=c@p1")
		w.do("wait=1s lost=c@p1")
		probe(tt.after)
		w.do("wait=1s")
		if got := w.status().Services[3]; got.State != tt.want {
			t.Errorf("%s: %v (%s), want %v", tt.name, got.State, got.Reason, tt.want)
		}
	}
}

// TestWhatAChildKnows: its own services, and those of sites below it. Of others it neither says that they are down nor doubts.
func TestWhatAChildKnows(t *testing.T) {
	below := func(d *config.Document) {
		d.Sites[4].Parent, d.Sites[4].BackupParents = "c", nil
		d.Services[0].Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1}}
	}
	w := newWorld(t, "c", below, "c", "d")
	w.begin("up=p1 up=d tell=d")
	w.do("wait=1h tell=d")
	w.want("its own", "c", gslb.Up, "")
	w.want("below it", "d", gslb.Up, "")
	w.want("its parent's", "p1", gslb.Unknown, "")
	w.want("another's", "p2", gslb.Unknown, "")
	w.wantTold("an hour")
	if s := w.status().Services[1]; !strings.Contains(s.Reason, "not known here") {
		t.Errorf("reason %q does not say that it is not known here", s.Reason)
	}
	if w.tr.Verdict(monitors.Verdict{Service: "p1", Monitor: "m", Address: netip.MustParseAddrPort("10.0.0.0:80"), State: monitors.Down}) {
		t.Error("it took a verdict of a service that it does not probe")
	}
	w.do("down=p1 wait=1h")
	if st := w.status(); st.Isolated != "" || st.Alarm != "" {
		t.Errorf("alarm %q, isolated %q; it lost its parent only", st.Alarm, st.Isolated)
	}
	reaches := []SiteReach{}
	for _, s := range w.tr.Sites() {
		reaches = append(reaches, s.Reach)
	}
	if got := fmt.Sprint(reaches); got != "[not-told not-told not-told here heard]" {
		t.Errorf("reaches %s", got)
	}
}

// TestAChildOfABackupParentThatIsAChild: who hears a child by nobody but itself, while that reports to another parent, says so.
func TestAChildOfABackupParentThatIsAChild(t *testing.T) {
	w := newWorld(t, "p2", func(d *config.Document) {
		d.Sites[1].Parent, d.Sites[2].Parent, d.Sites[3].Parent, d.Sites[3].BackupParents = "p1", "p1", "p3", []string{"p2"}
	}, "c")
	w.begin("up=p1 up=c down=c up=c wait=1s")
	if s := w.tr.Sites()[3]; s.Reach != ReachHeard {
		t.Errorf("reach %s, want %s: there is a session", s.Reach, ReachHeard)
	}
	if s := w.status().Services[w.index["c"]]; !strings.Contains(s.Reason, "another of its parents") {
		t.Errorf("reason %q does not say that it may report elsewhere", s.Reason)
	}
}

// TestTopologyChanges: a document that gives a site parents, or other ones, keeps what is known.
func TestTopologyChanges(t *testing.T) {
	w := newWorld(t, "p3", nil, "c")
	w.begin(mesh + "heard=c@p1 tell=c@p1")
	next := *w.doc
	next.Sites = append([]config.Site(nil), w.doc.Sites...)
	next.Sites[3].Parent, next.Sites[3].BackupParents = "p3", []string{"p1"}
	w.adopt(&next)
	w.do("status wait=1s up=c tell=c@c lost=c@p1 wait=1m tell=c")
	w.want("moved to this one", "c", gslb.Up, "")
	w.wantTold("moved")
	last := next
	last.Sites = append([]config.Site(nil), next.Sites...)
	last.Sites[2].Parent = "p1" // this one gets a parent, and c stays below it
	w.adopt(&last)
	w.do("wait=1s")
	w.want("below it", "c", gslb.Up, "")
	w.want("its parent's", "p1", gslb.Unknown, "")
}

// TestARelayIsRemoved: a document without the parent that told of a child, whose session ends for it, does not leave the child heard.
func TestARelayIsRemoved(t *testing.T) {
	w := newWorld(t, "p3", nil, "c")
	w.begin(mesh + "heard=c@p1 tell=c@p1")
	next := *w.doc
	next.Sites, next.Services = append([]config.Site(nil), w.doc.Sites[1:]...), w.doc.Services[1:]
	next.Sites[2].Parent, next.Sites[2].BackupParents = "p2", []string{"p3"}
	w.adopt(&next)
	w.do("status down=p1")
	w.want("its relay is gone", "c", gslb.Up, gslb.DoubtLearning)
	w.do("wait=21s")
	w.want("and nobody else told of it", "c", gslb.Down, gslb.DoubtPeerLost)
	w.do("wait=3s heard=c@p2 tell=c@p2")
	w.want("another one does", "c", gslb.Up, "")
}
