package api

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/api/resource"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/sites"
)

func TestSites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		now := time.Now().UTC()
		lat, lon, heard, rtt, skew, left := 52.37, 4.90, 0.5, 0.08, -0.002, 0.25
		want := []resource.Site{
			{Name: "ams", Address: "192.0.2.10", Local: true, Location: &resource.Location{Place: "EU.NL.NH.Amsterdam", Latitude: &lat, Longitude: &lon},
				Peer: "local", Relation: "local", AnswersDNS: true, Reach: "here", Document: "same", Services: resource.StateCounts{Up: 2}},
			{Name: "nyc", Address: "198.51.100.10", Peer: "up", Relation: "mesh", AnswersDNS: true, Reach: "heard", Via: "nyc", ReachSince: now.Add(-time.Minute), Since: now.Add(-time.Minute), LastHeardAgeSeconds: &heard, RTTSeconds: &rtt,
				ClockSkewSeconds: &skew, Node: "nyc-1", Version: 1, Document: "same", Sessions: 2, BytesIn: 1000, BytesOut: 2000,
				Services: resource.StateCounts{Up: 1, Disabled: 1}, Headroom: &resource.Headroom{Lost: "nyc", Ratio: &left, Worst: "web-ams"}},
			{Name: "tyo", Address: "203.0.113.10", Peer: "down", Relation: "mesh", AnswersDNS: true, Reach: "never", Since: now.Add(-2 * time.Minute), Document: "unknown", LastError: "connection refused",
				LastErrorAt: now.Add(-time.Second), Services: resource.StateCounts{Down: 1, Unknown: 1}},
		}
		got := get[resource.SiteList](t, f, "/v1/status/sites")
		if diff := cmp.Diff(want, got.Sites); diff != "" {
			t.Errorf("sites (-want +got):\n%s", diff)
		}
		if one := get[resource.Site](t, f, "/v1/status/sites/nyc"); !cmp.Equal(one, want[1]) {
			t.Errorf("site nyc differs from the list:\n%s", cmp.Diff(want[1], one))
		}
	})
}

func TestSitesWithoutExchange(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Peers = nil })
	for _, s := range get[resource.SiteList](t, f, "/v1/status/sites").Sites {
		want := resource.PeerNone
		if s.Local {
			want = resource.PeerLocal
		}
		if s.Peer != want {
			t.Errorf("peer state of %s is %q, want %q", s.Name, s.Peer, want)
		}
	}
}

func TestSiteDocument(t *testing.T) {
	now := time.Now()
	own := &State{DocumentID: "0123456789abcdef0123456789abcdef", Since: now.Add(-time.Hour)}
	changed := &State{DocumentID: own.DocumentID, Since: now}
	session := func(state mep.PeerState, id string) mep.PeerStatus {
		return mep.PeerStatus{State: state, Since: now.Add(-2 * time.Hour), Digest: digestOf(id), DigestAt: now.Add(-time.Second)}
	}
	tests := []struct {
		name string
		peer mep.PeerStatus
		st   *State
		want string
	}{
		{"equal", session(mep.PeerUp, own.DocumentID), own, resource.DocumentSame},
		{"other", session(mep.PeerUp, "ffff"), own, resource.DocumentDiffers},
		{"not told", session(mep.PeerUp, ""), own, resource.DocumentUnknown},
		{"session ended", session(mep.PeerDown, own.DocumentID), own, resource.DocumentUnknown},
		{"equal after a change here", session(mep.PeerUp, own.DocumentID), changed, resource.DocumentSame},
		{"other, told after a change here", session(mep.PeerUp, "ffff"), &State{DocumentID: own.DocumentID, Since: now.Add(-time.Minute)}, resource.DocumentDiffers},
		{"other after a change here", session(mep.PeerUp, "ffff"), changed, resource.DocumentUnknown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := &siteView{state: test.st, now: now}
			if got := v.compare(&test.peer); got != test.want {
				t.Errorf("document is %q, want %q", got, test.want)
			}
		})
	}
}

func TestDocument(t *testing.T) {
	f := newFixture(t, nil)
	f.state.LastError = "two-sites.yaml:3:1: error: unknown key"
	got := get[resource.Document](t, f, "/v1/status/document")
	want := resource.Document{ID: f.state.DocumentID, Source: "test.yaml", Since: f.state.Since.UTC().Round(0), LastError: f.state.LastError, Snapshot: 7}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
}

const topologyDocument = `
sites:
  - {name: ams, address: 192.0.2.10}
  - {name: nyc, address: 198.51.100.10}
  - {name: edge, address: 192.0.2.20, parent: ams, backup_parents: [nyc]}
  - {name: shop, address: 192.0.2.30, parent: edge, answers_dns: true}
  - {name: far, address: 198.51.100.20, parent: nyc}
  - {name: cloud, foreign: true}
`

// TestTopologyIsShown: what each site is to the node's own, to whom it is attached, and how it is heard.
func TestTopologyIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		none := func(*gslb.Plan, time.Time) *gslb.Status { return &gslb.Status{Isolated: "nobody is heard"} }
		now := time.Now()
		heard := func(via string) sites.SiteStatus {
			return sites.SiteStatus{Reach: sites.ReachHeard, Via: via, Since: now}
		}
		lost := sites.SiteStatus{Reach: sites.ReachLost, Via: "nyc", Since: now, Learning: now.Add(time.Minute)}
		for _, tt := range []struct {
			own  string
			how  []sites.SiteStatus
			want string
		}{
			{"ams", []sites.SiteStatus{{Reach: sites.ReachHere}, heard("nyc"), heard("edge"), heard("edge"), lost, {Reach: sites.ReachForeign}},
				"ams local here; nyc mesh heard; edge child heard at ams; shop relayed heard at edge; far relayed lost learning; cloud foreign foreign"},
			{"nyc", []sites.SiteStatus{heard("ams"), {Reach: sites.ReachHere}, heard("ams"), heard("ams"), {Reach: sites.ReachLeft}, {Reach: sites.ReachForeign}},
				"ams mesh heard; nyc local here; edge child heard at ams; shop relayed heard; far child left; cloud foreign foreign"},
			{"edge", []sites.SiteStatus{heard("ams"), {Reach: sites.ReachNever}, {Reach: sites.ReachHere}, heard("shop"), {Reach: sites.ReachBeyond}, {Reach: sites.ReachForeign}},
				"ams parent heard; nyc parent never; edge local here at nyc; shop child heard at edge; far none not-told; cloud foreign foreign"},
			{"nyc", []sites.SiteStatus{heard("ams"), {Reach: sites.ReachHere}, heard("edge"), heard("ams"), heard("far"), {Reach: sites.ReachForeign}},
				"ams mesh heard; nyc local here; edge child heard; shop relayed heard; far child heard at nyc; cloud foreign foreign"},
		} {
			f := newFixture(t, func(o *Options) {
				o.Site = tt.own
				switch tt.own {
				case "nyc": // edge told it once, and reports to ams again
					o.Peers = func() []mep.PeerStatus {
						return []mep.PeerStatus{{Site: "edge", Relation: mep.RelationChild, State: mep.PeerUp}, {Site: "far", Relation: mep.RelationChild, State: mep.PeerUp, Attached: true}}
					}
				case "edge":
					o.Peers = func() []mep.PeerStatus {
						return []mep.PeerStatus{{Site: "ams", Relation: mep.RelationParent, State: mep.PeerUp}, {Site: "nyc", Relation: mep.RelationParent, State: mep.PeerUp, Attached: true}, {Site: "shop", Relation: mep.RelationChild, State: mep.PeerUp, Attached: true}}
					}
				}
			})
			f.state = newStateOf(t, topologyDocument, none)
			f.state.Sites = tt.how
			list := get[resource.SiteList](t, f, "/v1/status/sites")
			var got []string
			for _, s := range list.Sites {
				one := s.Name + " " + s.Relation + " " + s.Reach
				if s.AttachedTo != "" {
					one += " at " + s.AttachedTo
				}
				if !s.LearningUntil.IsZero() {
					one += " learning"
				}
				got = append(got, one)
				if want := s.Name == "ams" || s.Name == "nyc" || s.Name == "shop"; s.AnswersDNS != want {
					t.Errorf("%s answers DNS: %v, want %v", s.Name, s.AnswersDNS, want)
				}
			}
			if text := strings.Join(got, "; "); text != tt.want {
				t.Errorf("at %s:\n got %s\nwant %s", tt.own, text, tt.want)
			}
			if list.Isolated != "nobody is heard" {
				t.Errorf("isolated %q", list.Isolated)
			}
			f.state.ViewsLeftOut = sites.ViewsLeftOut{Votes: 3}
			if text := scrape(t, f); !strings.Contains(text, `fairlead_mep_views_left_out{kind="votes"} 3`+"\n") {
				t.Error("metrics do not tell of votes that were left out")
			}
			if text := scrape(t, f); !strings.Contains(text, "fairlead_mep_isolated 1\n") || !strings.Contains(text, `fairlead_sites{reach="foreign"} 1`+"\n") {
				t.Errorf("metrics do not tell of isolation and foreign sites")
			} else if strings.Contains(text, `fairlead_mep_attached{peer="nyc"} 1`+"\n") != (tt.own == "edge") {
				t.Errorf("metrics at %s are wrong about whom it is attached to", tt.own)
			}
		}
	})
}
