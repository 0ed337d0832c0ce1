package node

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/gslb"
	"fairlead/mep"
)

// TestAParentIsToldAnewOnReturn: a site that goes over to another parent and returns, with sessions with both all along, tells each
// what it told the other one meanwhile, once.
func TestAParentIsToldAnewOnReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched("shop")
		attached := "ams"
		w.peers = func() (out []mep.PeerStatus) {
			for _, p := range []string{"ams", "nyc"} {
				out = append(out, mep.PeerStatus{Site: p, Relation: mep.RelationParent, State: mep.PeerUp, Attached: p == attached})
			}
			return out
		}
		const first, second = "shop 9.9.9.9 20ms age 0s hops 8", "shop 8.8.8.8 30ms age 0s hops 8"
		w.meet(&mep.SessionUp{Peer: "ams"})
		w.meet(&mep.SessionUp{Peer: "nyc"})
		w.wants(t, "nothing is known", nil)
		w.found(netip.MustParseAddr("9.9.9.9"), 20*time.Millisecond, time.Now(), gslb.RTTPing)
		w.wants(t, "measured at ams", map[string][]string{"ams": {first}})
		attached = "nyc"
		w.wants(t, "over to nyc", map[string][]string{"nyc": {first}})
		time.Sleep(backlogFor + time.Second)
		w.found(netip.MustParseAddr("8.8.8.8"), 30*time.Millisecond, time.Now(), gslb.RTTPing)
		w.wants(t, "measured at nyc", map[string][]string{"nyc": {second}})
		attached = "ams"
		w.wants(t, "back to ams", map[string][]string{"ams": {second, "shop 9.9.9.9 20ms age 11s hops 8"}})
		w.wants(t, "once", nil)
	})
}
