package sites

import (
	"testing"

	"fairlead/config"
	"fairlead/gslb"
)

// TestADocumentGivesASiteAnotherWay: sites take a document one after the other, and the way by which a site was heard may end before
// the new one begins, or before this site knows of that. Its services keep their state.
func TestADocumentGivesASiteAnotherWay(t *testing.T) {
	to := func(parent string) func(*config.Document) {
		return func(doc *config.Document) { doc.Sites[3].Parent = parent }
	}
	tests := []struct {
		name         string
		before       func(*config.Document)
		heard, ended string
		after        func(*config.Document)
		again, lost  string
	}{
		{"another parent", nil, "up=p2 tell=p2 heard=x@p2 tell=x@p2", "lost=x@p2", to("p3"), "up=p3 heard=x@p3 tell=x@p3", "lost=x@p3"},
		{"from the mesh to a parent", to(""), "up=x tell=x up=p2", "down=x", to("p2"), "heard=x@p2 tell=x@p2", "lost=x@p2"},
		{"its parent gets one", nil, "up=p1 tell=p1 heard=x@p1 tell=x@p1 up=p3", "down=p1", func(doc *config.Document) { doc.Sites[0].Parent = "p3" }, "heard=p1@p3 tell=p1@p3 heard=x@p3 tell=x@p3", "lost=x@p3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "p2", tt.before, "x")
			if tt.name != "its parent gets one" {
				w = newWorld(t, "p1", tt.before, "x")
			}
			w.begin(tt.heard)
			next := *w.doc
			next.Sites = append([]config.Site(nil), next.Sites...)
			tt.after(&next)
			w.adopt(&next)
			w.want("with the document", "x", gslb.Up, "")
			w.do(tt.ended)
			w.want("its way has ended", "x", gslb.Up, gslb.DoubtLearning)
			w.do(tt.again)
			w.want("it is heard again", "x", gslb.Up, "")
			w.wantTold("in between")
			w.do("wait=25s " + tt.lost)
			w.want("it is lost later", "x", gslb.Down, gslb.DoubtPeerLost)
		})
	}
}

// TestAForeignSiteGetsANode: it was lost when it became foreign, or never heard; neither says anything when it is to be heard again.
func TestAForeignSiteGetsANode(t *testing.T) {
	w := newWorld(t, "p1", nil, "x")
	w.begin("up=x tell=x down=x")
	child := w.doc
	foreign := *child
	foreign.Sites = append([]config.Site(nil), foreign.Sites...)
	foreign.Sites[3] = config.Site{Name: "x", Foreign: true}
	w.adopt(&foreign)
	w.do("wait=1m")
	w.want("foreign", "x", gslb.Up, "")
	w.adopt(child)
	w.want("not heard yet", "x", gslb.Up, gslb.DoubtLearning)
	w.do("up=x tell=x")
	w.want("heard", "x", gslb.Up, "")
	w.adopt(&foreign)
	w.do("down=x wait=1m")
	w.adopt(child)
	w.do("wait=21s")
	w.want("never heard", "x", gslb.Down, gslb.DoubtLearning)
}

// TestWhatWasHeardBeforeASiteWasForeign: while nobody was to speak for it a session, or a relay's word, may have ended.
func TestWhatWasHeardBeforeASiteWasForeign(t *testing.T) {
	tests := []struct{ name, heard, meanwhile, again string }{
		{"by a relay", "up=p2 heard=x@p2 tell=x@p2", "lost=x@p2", "heard=x@p2 tell=x@p2"},
		{"by a session", "up=x tell=x", "down=x", "up=x tell=x"},
		{"by a session that is there again", "up=x tell=x", "down=x up=x", "tell=x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, "p1", func(doc *config.Document) { doc.Sites[3].BackupParents = []string{"p2"} }, "x")
			w.begin(tt.heard)
			child := w.doc
			foreign := *child
			foreign.Sites = append([]config.Site(nil), foreign.Sites...)
			foreign.Sites[3] = config.Site{Name: "x", Foreign: true}
			w.adopt(&foreign)
			w.do("status " + tt.meanwhile + " wait=3s")
			w.adopt(child)
			w.want("to be heard", "x", gslb.Up, gslb.DoubtLearning)
			w.do(tt.again)
			w.want("heard", "x", gslb.Up, "")
			w.wantTold("in between")
		})
	}
}

// TestASiteOfTheMeshIsAChildForATime: what others told it before says nothing when it is told again.
func TestASiteOfTheMeshIsAChildForATime(t *testing.T) {
	w := newWorld(t, "p1", nil, "x", "c")
	w.begin("up=p2 tell=p2 up=p3 tell=p3 up=x tell=x heard=c@p2 tell=c@p2")
	mesh := w.doc
	child := *mesh
	child.Sites = append([]config.Site(nil), child.Sites...)
	child.Sites[0].Parent, child.Sites[3].Parent, child.Sites[4].Parent, child.Sites[4].BackupParents = "p2", "p2", "p2", []string{"p3"}
	w.adopt(&child)
	w.do("status down=p3 status down=x status wait=1s")
	if alarm := w.status().Alarm; alarm != "" {
		t.Errorf("sessions that the document ended: alarm %q", alarm)
	}
	for _, name := range []string{"p2", "c"} {
		w.want("a child is not told of it", name, gslb.Unknown, "")
	}
	w.do("wait=1m")
	w.adopt(mesh)
	w.want("not told yet", "p2", gslb.Unknown, gslb.DoubtLearning)
	w.want("not told yet", "c", gslb.Unknown, gslb.DoubtLearning)
	w.do("tell=p2 heard=c@p2 tell=c@p2")
	w.want("told", "p2", gslb.Up, "")
	w.want("told", "c", gslb.Up, "")
}
