package mep

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestRoundsThatAreDearArePaced: what a peer tells as fast as it may takes at most a quarter of the time to take in, however much a
// round costs. Rounds that cost little are taken in as they come.
func TestRoundsThatAreDearArePaced(t *testing.T) {
	for _, c := range []struct {
		name        string
		cost        time.Duration
		least, most int // rounds taken in 20 s
	}{{"cheap", time.Millisecond, 950, 1000}, {"dear", 50 * time.Millisecond, 90, 102}, {"very dear", 2 * time.Second, 6, 8}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, map[string][]string{"kid": {"ams"}}, "ams", "kid")
				defer w.stop()
				w.sites["kid"].stop()
				pass(2 * time.Second)
				ams := w.sites["ams"]
				receive := ams.opts.Receive
				ams.opts.Receive = func(e Event) {
					if r, ok := e.(*ServicesReport); ok && r.Site == "kid" {
						time.Sleep(c.cost)
					}
					receive(e)
				}
				later := uint64(time.Now().UnixNano())
				kid := introduceTo(t, w, "kid", "ams", later)
				defer kid.conn.Close()
				before := ams.reports()
				go func() {
					for n := uint64(1); n <= 1000; n++ {
						flags := byte(0)
						if n == 1 {
							flags = flagAnew
						}
						if _, err := kid.conn.Write(kid.changes(flags, n, 0, origin(0, "kid", n))); err != nil {
							return
						}
						time.Sleep(20 * time.Millisecond)
					}
				}()
				pass(20 * time.Second)
				if got := ams.reports() - before; got < c.least || got > c.most {
					t.Errorf("a round every 20 ms that takes %v: took in %d in 20 s, want %d to %d", c.cost, got, c.least, c.most)
				}
				if got := ams.Rejections()[RejectFlood]; got != 0 {
					t.Errorf("%d floods were refused, want none", got)
				}
				_ = kid.conn.Close()
			})
		})
	}
}
