package sites

import (
	"testing"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
)

// TestALossByAnotherDocument: a relay that has a new document before this node may have lost a site because that has another parent
// now. What was believed of it stays until it can have been heard by its new way; after that, and by the same document, it is lost.
func TestALossByAnotherDocument(t *testing.T) {
	lose := func(w *world, by string, differs bool) {
		w.tr.Peer(&mep.SiteReach{Peer: by, Site: "x1", Reach: mep.ReachLost, Differs: differs, At: w.now}, noneHanded)
	}
	begin := func(t *testing.T) *world {
		w := newWorld(t, "p3", nil, "x1")
		w.begin("up=p1 up=p2 heard=x1@p1 tell=x1@p1")
		return w
	}
	t.Run("it differs", func(t *testing.T) {
		w := begin(t)
		lose(w, "p1", true)
		w.want("at once", "x1", gslb.Up, gslb.DoubtLearning)
		w.do("wait=19s")
		w.want("before parent_timeout + keepalive_timeout", "x1", gslb.Up, gslb.DoubtLearning)
		w.do("wait=2s")
		w.want("after it", "x1", gslb.Down, gslb.DoubtPeerLost)
	})
	t.Run("the new document comes", func(t *testing.T) {
		w := begin(t)
		lose(w, "p1", true)
		w.do("wait=5s")
		next := *w.doc
		next.Sites = append([]config.Site(nil), w.doc.Sites...)
		next.Sites[3].Parent = "p2"
		w.adopt(&next)
		w.want("by the new document", "x1", gslb.Up, gslb.DoubtLearning)
		w.do("heard=x1@p2 tell=x1@p2 wait=1s")
		w.want("by its new way", "x1", gslb.Up, "")
		w.wantTold("all along")
		w.do("wait=30s tell=x1@p2")
		lose(w, "p2", false)
		w.want("lost for good", "x1", gslb.Down, gslb.DoubtPeerLost)
	})
	t.Run("the same document", func(t *testing.T) {
		w := begin(t)
		lose(w, "p1", false)
		w.want("at once", "x1", gslb.Down, gslb.DoubtPeerLost)
	})
	t.Run("it differs from its own", func(t *testing.T) {
		w := newWorld(t, "p1", nil, "x1")
		w.begin("up=x1 tell=x1 up=p2 tell=p2")
		for _, site := range []string{"x1", "p2"} {
			w.tr.Peer(&mep.SessionDown{Peer: site, Differs: true, At: w.now}, noneHanded)
		}
		w.want("a child", "x1", gslb.Up, gslb.DoubtLearning)
		w.want("a site of the mesh", "p2", gslb.Down, gslb.DoubtPeerLost)
		w.do("wait=21s")
		w.want("after parent_timeout + keepalive_timeout", "x1", gslb.Down, gslb.DoubtPeerLost)
	})
	t.Run("by one that does not count", func(t *testing.T) {
		w := begin(t)
		lose(w, "p2", true)
		w.do("wait=1s")
		w.want("p2 never spoke for it", "x1", gslb.Up, "")
		lose(w, "p1", false)
		w.want("lost by p1", "x1", gslb.Down, gslb.DoubtPeerLost)
	})
}
