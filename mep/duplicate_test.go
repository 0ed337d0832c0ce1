package mep

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest/observer"
)

// tellOne tells one service of a site, all anew.
func (i *intruder) tellOne(site string, incarnation, round uint64, state State) {
	b := appendText(binary.AppendUvarint([]byte{byte(sectionOrigin)}, 0), site)
	b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, incarnation), round)
	b = (&ServiceRecord{Name: "web-" + site, State: state}).append(append(b, maxHops, 1, 1))
	_, _ = i.conn.Write(i.changes(flagAnew, round, 0, b))
}

// TestWhatASecondInstanceLeavesBehind: a site is started twice by mistake, or was moved. When the newer instance stops, what the older
// one tells counts as soon as it is connected again, also at those that its parent tells.
func TestWhatASecondInstanceLeavesBehind(t *testing.T) {
	for _, c := range []struct {
		name    string
		parents map[string][]string
		stop    func(i *intruder)
	}{
		{"in the mesh, it breaks", nil, func(*intruder) {}},
		{"in the mesh, it leaves", nil, func(i *intruder) {
			l := leaving{reason: leaveStopping}
			_, _ = i.conn.Write(i.frame(FrameLeaving, 0, l.append(nil)))
		}},
		{"a child, it breaks", map[string][]string{"shop": {"ams"}}, func(*intruder) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.parents, "ams", "nyc", "shop")
				defer w.stop()
				pass(20 * time.Second)
				later := uint64(time.Now().UnixNano())
				told := []string{"ams"}
				if c.parents == nil {
					told = []string{"ams", "nyc"}
				}
				var second []*intruder
				for _, to := range told {
					second = append(second, introduceTo(t, w, "shop", to, later))
				}
				pass(100 * time.Millisecond)
				for _, i := range second {
					i.tellOne("shop", later, 5, StateDown)
				}
				pass(time.Second)
				for _, at := range []string{"ams", "nyc"} {
					if r := w.sites[at].of("shop"); r.Incarnation != later || r.Records[0].State != StateDown {
						t.Errorf("%s, while the newer instance runs: got %+v, want its word", at, r)
					}
				}
				for _, i := range second {
					c.stop(i)
					_ = i.conn.Close()
				}
				pass(backoffMost + 2*time.Second)
				for _, at := range []string{"ams", "nyc"} {
					if r := w.sites[at].of("shop"); r.Incarnation != w.sites["shop"].opts.Incarnation || r.Records[0].State != StateUp {
						t.Errorf("%s, after the newer instance stopped: got %+v, want what the older one tells", at, r)
					}
				}
			})
		})
	}
}

// TestAParentMeetsAnOlderInstanceAtOnce: also when both happen between two rounds. Who is told hears that the site was lost first.
func TestAParentMeetsAnOlderInstanceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string][]string{"kid": {"ams"}}, "ams", "nyc", "kid")
		defer w.stop()
		w.sites["kid"].stop()
		pass(2 * time.Second)
		later := uint64(time.Now().UnixNano())
		newer := introduceTo(t, w, "kid", "ams", later)
		newer.tellOne("kid", later, 5, StateUp)
		pass(1500 * time.Millisecond)
		w.sites["nyc"].wantReach("kid", "heard ams")
		w.sites["ams"].Announce() // the next round is roundGap away
		synctest.Wait()
		_ = newer.conn.Close()
		synctest.Wait()
		older := introduceTo(t, w, "kid", "ams", later-1)
		defer older.conn.Close()
		older.tellOne("kid", later-1, 7, StateDown)
		pass(3 * time.Second)
		w.sites["nyc"].wantReach("kid", "heard ams", "lost ams", "heard ams")
		if r := w.sites["nyc"].of("kid"); r.Incarnation != later-1 || r.Records[0].State != StateDown {
			t.Errorf("nyc about kid: got %+v, want what the older instance told", r)
		}
		w.sites["nyc"].wantStory("up ams")
	})
}

// TestWhoseWordCounts: of two instances of a site, and of those that tell of them.
func TestWhoseWordCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name           string
			before         string // who told of the older instance before the newer one was lost
			lost           bool
			after          time.Duration
			by             string
			incarnation    uint64
			set            uint64
			counts, begins bool
			refused        bool
		}{
			{name: "the newer one is there, a parent tells of the older", by: "nyc", incarnation: 5, set: 9},
			{name: "the newer one is there, the older says so itself", by: "shop", incarnation: 5, set: 9},
			{name: "lost, a parent has told of the older before", before: "nyc", lost: true, by: "nyc", incarnation: 5, set: 9},
			{name: "a minute later", before: "nyc", lost: true, after: forgetSetAfter, by: "nyc", incarnation: 5, set: 9, counts: true, begins: true},
			{name: "lost, a parent begins to tell of the older", lost: true, after: time.Second, by: "nyc", incarnation: 5, set: 9, counts: true, begins: true},
			{name: "lost, the same parent does", lost: true, by: "ams", incarnation: 5, set: 9, counts: true, begins: true},
			{name: "lost, the older has told so itself before", before: "shop", lost: true, by: "shop", incarnation: 5, set: 9, counts: true, begins: true},
			{name: "lost, the same instance with an older set", lost: true, after: time.Second, by: "nyc", incarnation: 7, set: 1},
			{name: "a parent goes over to the older", by: "ams", incarnation: 5, set: 9, counts: true, begins: true},
			{name: "a parent goes back to an older set", by: "ams", incarnation: 7, set: 1, refused: true},
		} {
			x := newTestSite(t, newMemNet(), "sin", "10.0.0.1", nil).Exchange
			sessions := map[string]*session{}
			for _, name := range []string{"ams", "nyc", "shop"} {
				sessions[name] = &session{x: x, peer: &peer{site: name}}
			}
			told := &mirrorSite{site: "shop", incarnation: c.incarnation, set: 1}
			if _, _, err := x.settle(sessions["ams"], &mirrorSite{site: "shop", incarnation: 7, set: 3}, time.Now()); err != nil {
				t.Fatal(err)
			}
			if c.before != "" {
				if counts, _, err := x.settle(sessions[c.before], told, time.Now()); counts || err != nil {
					t.Errorf("%s: an older instance counts (%v) beside the newer one, error %v", c.name, counts, err)
				}
				time.Sleep(time.Second)
			}
			if c.lost {
				x.unhear(sessions["ams"], "shop", ReachLost, false)
			}
			time.Sleep(c.after)
			again := &mirrorSite{site: "shop", incarnation: c.incarnation, set: c.set}
			again.follow(told) // all is told anew: that is no new word
			counts, begins, err := x.settle(sessions[c.by], again, time.Now())
			if counts != c.counts || begins != c.begins || (err != nil) != c.refused {
				t.Errorf("%s: got counts %v, begins %v, error %v, want %v, %v, error %v", c.name, counts, begins, err, c.counts, c.begins, c.refused)
			}
		}
		x := newTestSite(t, newMemNet(), "sin", "10.0.0.1", nil).Exchange
		own := &session{x: x, peer: &peer{site: "shop"}}
		_, _, _ = x.settle(own, &mirrorSite{site: "shop", incarnation: 7, set: 3}, time.Now())
		if _, _, err := x.settle(own, &mirrorSite{site: "shop", incarnation: 5, set: 9}, time.Now()); err == nil {
			t.Error("a site became an older instance of itself within a session, want it refused")
		}
	})
}

// TestASessionThatHadNoTimeToTell: it went on with what the one before it told, and ends.
func TestASessionThatHadNoTimeToTell(t *testing.T) {
	x := newTestSite(t, newMemNet(), "sin", "10.0.0.1", nil).Exchange
	p := &peer{site: "ams"}
	first, second, other := &session{x: x, peer: p}, &session{x: x, peer: p}, &session{x: x, peer: &peer{site: "nyc"}}
	o := &mirrorSite{site: "shop", incarnation: 7, set: 3}
	_, _, _ = x.settle(first, o, time.Now())
	second.inherited = x.inherit(first, second)
	x.unhearAll(second, ReachLost)
	if counts, begins, err := x.settle(other, o, time.Now()); !counts || !begins || err != nil {
		t.Errorf("who tells the same after it: got counts %v, begins %v, error %v, want that it counts", counts, begins, err)
	}
}

// TestNodesWithoutANameAreNamed: by their address, where two instances of a site are told apart.
func TestNodesWithoutANameAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, "ams", "nyc")
		defer w.stop()
		pass(time.Second)
		now := uint64(time.Now().UnixNano())
		newer := introduceTo(t, w, "nyc", "ams", now)
		defer newer.conn.Close()
		pass(time.Second)
		older := introduceTo(t, w, "nyc", "ams", 1)
		defer older.conn.Close()
		pass(time.Second)
		logs := w.sites["ams"].logs
		replaced := logs.FilterMessage("mep.replaced").All()
		if len(replaced) != 1 {
			t.Fatalf("replaced: %d lines, want 1", len(replaced))
		}
		fields := replaced[0].ContextMap()
		if node, old := fields["node"].(string), fields["old_node"].(string); !strings.Contains(node, " at 10.0.0.") || !strings.HasPrefix(old, "nyc-1 at 10.0.0.") {
			t.Errorf("replaced: got node %q, old node %q, want names and addresses", node, old)
		}
		if !slices.ContainsFunc(logs.FilterMessage("mep.unreachable").All(), func(e observer.LoggedEntry) bool {
			why := fmt.Sprint(e.ContextMap()["error"])
			return strings.Contains(why, "a newer instance of it, on node ") && strings.Count(why, " at 10.0.0.") == 2
		}) {
			t.Errorf("refused: got %v, want both nodes with their addresses", logs.All())
		}
	})
	s := &session{conn: &addressed{}}
	if got := s.node(); got != "at 192.0.2.1:4000" {
		t.Errorf("a node without a name: got %q, want its address", got)
	}
}

type addressed struct{ net.Conn }

func (*addressed) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4000} }
