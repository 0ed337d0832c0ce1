package sites

import (
	"testing"
	"time"

	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
)

// breaks ends a session; the site was heard last ago before, and any other one others before (0: there is none).
func (w *world) breaks(site string, ago, others time.Duration) {
	down := &mep.SessionDown{Peer: site, At: w.now, Heard: w.now.Add(-ago)}
	if others > 0 {
		down.Others = w.now.Add(-others)
	}
	w.tr.Peer(down, noneHanded)
	w.status()
}

// TestBrokenSession: a session that breaks before its time costs nothing until silence would have ended it.
func TestBrokenSession(t *testing.T) {
	w := newWorld(t, "p3", nil, "c", "only")
	w.begin(mesh + "tell=c@p1 tell=only@p1")
	patience := w.doc.Settings.MEP.KeepaliveTimeout.Std()

	w.breaks("p1", time.Second, time.Second)
	w.want("just broken", "p1", gslb.Up, gslb.DoubtPeerLost)
	w.do("up=p1")
	w.want("back, and has not reported", "p1", gslb.Up, gslb.DoubtLearning)
	w.do("tell=p1")
	w.want("and has", "p1", gslb.Up, "")
	w.wantTold("nothing of it")

	w.breaks("p1", time.Second, time.Second)
	w.do("wait=" + (patience - 2*time.Second).String())
	w.want("shortly before it would have been lost", "p1", gslb.Up, gslb.DoubtPeerLost)
	w.do("wait=2s")
	w.want("after that", "p1", gslb.Down, gslb.DoubtPeerLost)
	w.wantTold("once, and whom it told of", "p1 DOWN", "only DOWN")

	w.do("leaving=p2")
	w.want("it said that it stops", "p2", gslb.Down, gslb.DoubtPeerLost)
}

// TestSilenceIsNoBreak: a site that fell silent is lost at once, as it was heard a keepalive timeout ago.
func TestSilenceIsNoBreak(t *testing.T) {
	w := newWorld(t, "p3", nil, "c", "only")
	w.begin(mesh)
	w.breaks("p1", w.doc.Settings.MEP.KeepaliveTimeout.Std(), time.Second)
	w.want("the other one is heard", "p1", gslb.Down, gslb.DoubtPeerLost)
}

// TestAboutToBeIsolated: when a site is lost and the others have been silent, too, nothing changes until it is known whether they
// are lost as well.
func TestAboutToBeIsolated(t *testing.T) {
	start := func() (*world, time.Duration) {
		w := newWorld(t, "p3", nil, "c", "only")
		w.begin(mesh + "tell=c@p1 tell=only@p1")
		return w, w.doc.Settings.MEP.KeepaliveTimeout.Std()
	}
	t.Run("they are", func(t *testing.T) {
		w, patience := start()
		w.breaks("p1", patience, patience-800*time.Millisecond)
		w.want("the other one is silent", "p1", gslb.Up, gslb.DoubtPeerLost)
		w.now = w.now.Add(900 * time.Millisecond)
		w.breaks("p2", patience, 0)
		w.do("wait=1h")
		w.want("cut off", "p1", gslb.Up, gslb.DoubtPeerLost)
		w.want("cut off", "p2", gslb.Up, gslb.DoubtPeerLost)
		w.wantTold("nothing")
	})
	t.Run("they are not", func(t *testing.T) {
		w, patience := start()
		w.breaks("p1", patience, patience-800*time.Millisecond)
		w.do("wait=1s")
		w.want("a second later", "p1", gslb.Up, gslb.DoubtPeerLost)
		w.do("wait=1s")
		w.want("the other one would have been lost by now", "p1", gslb.Down, gslb.DoubtPeerLost)
	})
}

// TestStandingBy: a child whose parent is not heard keeps its state for as long as it is there itself.
func TestStandingBy(t *testing.T) {
	w := newWorld(t, "p3", nil, "c")
	w.begin(mesh + "up=c tell=c@p1")
	w.told = nil
	w.do("down=p1 wait=10m")
	w.want("its parent is not heard", "c", gslb.Up, gslb.DoubtLearning)
	w.do("down=c wait=11s")
	w.want("nor is the child", "c", gslb.Down, gslb.DoubtPeerLost)
	w.wantTold("of both", "p1 DOWN", "c DOWN")
}

// TestSuspicionEndsGently: what passes its first probe when suspicion ends is not lost for the time to the second one.
func TestSuspicionEndsGently(t *testing.T) {
	o := newOutlook(t, "a1", "n1", "n2", "l1", "l2")
	o.play(func() { o.probe(monitors.Down, "n1", "n2", "l1", "l2") })
	o.wantUp("suspicion", "a1 n1 n2 l1 l2", true)
	recovering := func(service string) {
		i := o.tr.byName[service]
		for key, v := range o.tr.services[i].verdicts {
			v.Successes, v.Failures, v.At = 1, 0, o.now
			o.tr.services[i].verdicts[key] = v
		}
	}
	recovering("l2")
	o.play(func() { o.probe(monitors.Up, "n1", "n2", "l1") })
	o.wantUp("l2 is on its way", "a1 n1 n2 l1 l2", false)
	o.probe(monitors.Down, "l2")
	o.wantUp("and fails again", "a1 n1 n2 l1", false)
}
