package sites

import (
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
)

// TestEvidenceThatTravelsIsNotStale: an age that is told is a bound, and each relay puts something on top. A service about which
// nothing is wrong is not in doubt for that, however short the time-out is; one whose evidence stopped is.
func TestEvidenceThatTravelsIsNotStale(t *testing.T) {
	timeout := func(d time.Duration) func(*config.Document) {
		return func(doc *config.Document) { doc.Settings.MEP.KeepaliveTimeout = config.Duration(d) }
	}
	chain := func(doc *config.Document) {
		doc.Sites[3].Parent, doc.Sites[4].Parent, doc.Sites[5].Parent = "p2", "x1", "x2"
	}
	tests := []struct {
		name, site, via string
		change          func(*config.Document)
		age             time.Duration // as the last relay tells it, by the bounds of mep
		handed          time.Duration // between two reports
		stuck           time.Duration
	}{
		{"of the mesh", "p2", "p2", nil, 2400 * time.Millisecond, 2500 * time.Millisecond, 11 * time.Second},
		{"of the mesh, short time-out", "p2", "p2", timeout(3 * time.Second), 2400 * time.Millisecond, 750 * time.Millisecond, 6 * time.Second},
		{"one relay", "x1", "p2", chain, 4800 * time.Millisecond, 2500 * time.Millisecond, 14 * time.Second},
		{"two relays", "x2", "p2", chain, 9600 * time.Millisecond, 2500 * time.Millisecond, 21 * time.Second},
		{"three relays", "x3", "p2", chain, 12800 * time.Millisecond, 2500 * time.Millisecond, 31 * time.Second},
		{"a child of this one", "x1", "x1", nil, 2400 * time.Millisecond, 2500 * time.Millisecond, 11 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "p1", tt.change, "x1", "x2", "x3")
			tell := func(age time.Duration) {
				w.set++
				w.tr.Peer(&mep.ServicesReport{Peer: tt.via, Site: tt.site, Incarnation: 1, Set: w.set, ReceivedAt: w.now,
					Records: []mep.ServiceRecord{{Name: tt.site, State: mep.StateUp, Has: mep.HasEvidenceAge, EvidenceAge: age}}}, noneHanded)
			}
			w.do("up=" + tt.via)
			tell(tt.age)
			w.now = w.now.Add(tt.handed + time.Second)
			w.want("before the next report", tt.site, gslb.Up, "")
			tell(tt.stuck)
			w.want("evidence that stopped", tt.site, gslb.Up, gslb.DoubtAged)
		})
	}
}
