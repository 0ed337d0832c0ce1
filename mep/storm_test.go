package mep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestStormsEndTheSession: a child that changes its mind all the time, or tells a new state all the time, costs a session, a line in
// the log and one in the statistics, and nothing of it is told to others for long.
func TestStormsEndTheSession(t *testing.T) {
	for _, c := range []struct {
		name  string
		storm func(kid *intruder, n uint64) []byte
	}{
		{"attach", func(kid *intruder, n uint64) []byte { return kid.frame(FrameAttach, 0, []byte{byte(n & 1)}) }},
		{"rounds", func(kid *intruder, n uint64) []byte { return kid.changes(0, n+2, 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, map[string][]string{"kid": {"ams"}}, "ams", "nyc", "kid")
				defer w.stop()
				w.sites["kid"].stop()
				pass(2 * time.Second)
				ams, nyc := w.sites["ams"], w.sites["nyc"]
				kid := introduceTo(t, w, "kid", "ams", uint64(time.Now().UnixNano()))
				defer kid.conn.Close()
				_, _ = kid.conn.Write(kid.changes(flagAnew, 1, 0))
				pass(100 * time.Millisecond)
				logged := ams.logs.Len()
				for n := uint64(0); n < 3000; n++ {
					if _, err := kid.conn.Write(c.storm(kid, n)); err != nil {
						break
					}
					pass(5 * time.Millisecond)
				}
				pass(time.Second)
				if got := ams.Rejections()[RejectFlood]; got != 1 {
					t.Errorf("counted %d floods, want one", got)
				}
				if got := ams.logs.FilterMessage("mep.rejected").Len(); got != 1 {
					t.Errorf("logged %d rejections, want one", got)
				}
				if got := ams.logs.Len() - logged; got > attachBurst+20 {
					t.Errorf("logged %d lines in all, want few", got)
				}
				nyc.wantStory("up ams")
			})
		})
	}
}

// TestASiteThatConnectsAllTheTimeIsRefused: and let in again when it does not.
func TestASiteThatConnectsAllTheTimeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		nyc := newTestSite(t, n, "nyc", "10.0.0.2", nil)
		if err := nyc.SetPeers(nyc.peer, []Peer{{Site: "ams", Address: "10.0.0.1:3009", Dial: DialAlways}}); err != nil {
			t.Fatal(err)
		}
		nyc.begin()
		defer nyc.stop()
		pass(100 * time.Millisecond)
		connect := func(number uint64) {
			i := intrude(t, n, "10.0.0.1")
			_, _ = i.conn.Write(append(i.hello(func(h *Hello) { h.Connection = number }), i.frame(FrameLeaving, 0, []byte{1, 0})...))
			go func() { _, _ = io.Copy(io.Discard, i.conn) }()
			pass(10 * time.Millisecond)
			_ = i.conn.Close()
		}
		for number := range uint64(500) {
			connect(number)
		}
		pass(2 * time.Second)
		sessions := nyc.Peers()[0].Sessions
		if sessions < arriveBurst || sessions > arriveBurst+15 {
			t.Errorf("sessions of 500 connections in 5 s: got %d, want %d and two a second", sessions, arriveBurst)
		}
		if got := nyc.Rejections()[RejectFlood]; got != 500-sessions {
			t.Errorf("counted %d floods, want %d", got, 500-sessions)
		}
		if got := nyc.logs.FilterMessage("mep.unreachable").Len(); got != 1 {
			t.Errorf("logged %d refusals, want one", got)
		}
		pass(10 * time.Second)
		connect(1000)
		if got := nyc.Peers()[0].Sessions; got != sessions+1 {
			t.Errorf("10 s later: got %d sessions, want %d", got, sessions+1)
		}
	})
}

// TestManyFirstDialsAreSpread: what begins at one moment for a thousand sites does not dial them all in it.
func TestManyFirstDialsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ams := newTestSite(t, newMemNet(), "ams", "10.0.0.1", nil)
		var mu sync.Mutex
		dialled, attempts := map[string]bool{}, 0
		ams.opts.DialFunc = func(_ context.Context, _, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dialled[address] = true
			attempts++
			return nil, errors.New("refused")
		}
		count := func() int {
			mu.Lock()
			defer mu.Unlock()
			return len(dialled)
		}
		if err := ams.SetPeers(ams.peer, manyPeers(1000)); err != nil {
			t.Fatal(err)
		}
		ams.begin()
		defer ams.stop()
		pass(100 * time.Millisecond)
		if n := count(); n < 50 || n > 200 {
			t.Errorf("dialled in the first 100 ms: got %d of 1000 sites, want about a tenth", n)
		}
		pass(time.Second)
		if n := count(); n != 1000 {
			t.Errorf("dialled in the first 1.1 s: got %d, want each of 1000 sites", n)
		}
		mu.Lock()
		defer mu.Unlock()
		if most := dialsAtOnce + int(1100*time.Millisecond/dialGap); attempts > most {
			t.Errorf("attempts in the first 1.1 s: got %d, want at most %d, those made again included", attempts, most)
		}
	})
}

// manyPeers are sites that this one dials.
func manyPeers(n int) (peers []Peer) {
	for i := range n {
		peers = append(peers, Peer{Site: fmt.Sprint("kid-", i), Address: fmt.Sprintf("10.1.%d.%d:3009", i/250, i%250+1), Relation: RelationChild})
	}
	return peers
}

// FuzzAttach gives the decoder any bytes.
func FuzzAttach(f *testing.F) {
	f.Add(appendAttach(nil, true))
	f.Add(appendAttach(nil, false))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		here, err := decodeAttach(b)
		if here != (len(b) > 0 && b[0] == 1) || (err == nil) != (len(b) > 0) {
			t.Errorf("%x: got %v, %v", b, here, err)
		}
		if _, refused := rejectionOf(err); err != nil && !refused {
			t.Errorf("%v is no refusal", err)
		}
	})
}
