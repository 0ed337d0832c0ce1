package mep

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// slowConn is a connection over a link: what is written takes its time, and what has been written waits in a queue of the kernel.
type slowConn struct {
	net.Conn
	perSecond int
}

func (c slowConn) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(len(b)) * time.Second / time.Duration(c.perSecond))
	return c.Conn.Write(b)
}

// TestALargeMessageDelaysNoChange sends 16 MiB over 100 Mbit/s, and meanwhile a change of state.
func TestALargeMessageDelaysNoChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := twoSites(t, n, func(o *Options) {
			dial := o.DialFunc
			o.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dial(ctx, network, address)
				return slowConn{conn, 100_000_000 / 8}, err
			}
		})
		defer nyc.stop()
		defer ams.stop()
		pass(1500 * time.Millisecond)
		body := make([]byte, MaxConfigMessage)
		for i := range body {
			body[i] = byte(i * i >> 7)
		}
		began, done := time.Now(), make(chan error, 1)
		go func() { done <- ams.SendConfig(t.Context(), "nyc", 9, body) }()
		for i := range 5 {
			pass(137 * time.Millisecond)
			state := StateUp + State((i+1)%2)
			ams.announce(ServiceRecord{Name: "web-ams", State: state})
			ams.Announce()
			pass(50 * time.Millisecond)
			if got := nyc.last("ams").Records[0].State; got != state {
				t.Errorf("50 ms after change %d: got %v, want %v", i, got, state)
			}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("16 MiB took %v, want at most 5 s", took)
		}
		pass(time.Second)
		nyc.mu.Lock()
		defer nyc.mu.Unlock()
		for _, e := range nyc.events {
			if m, ok := e.(*ConfigMessage); ok {
				if m.Peer != "ams" || m.Kind != 9 || !bytes.Equal(m.Body, body) {
					t.Errorf("message: got kind %d, %d bytes from %s; want what was sent", m.Kind, len(m.Body), m.Peer)
				}
				return
			}
		}
		t.Error("the message did not arrive")
	})
}

func TestMessagesAboutDocumentsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := twoSites(t, n, nil)
		defer nyc.stop()
		pass(1500 * time.Millisecond)
		if err := ams.SendConfig(t.Context(), "nyc", 1, nil); err != nil {
			t.Errorf("an empty message: got %v", err)
		}
		if err := ams.SendConfig(t.Context(), "tyo", 1, nil); !errors.Is(err, ErrNoSession) {
			t.Errorf("to a site that is no peer: got %v, want ErrNoSession", err)
		}
		if err := ams.SendConfig(t.Context(), "nyc", 1, make([]byte, MaxConfigMessage+1)); err == nil {
			t.Error("above the limit: got no error")
		}
		n.Stall() // the peer reads nothing more
		done := make(chan error, maxConfigs)
		for range maxConfigs {
			go func() { done <- ams.SendConfig(context.Background(), "nyc", 1, make([]byte, 1<<20)) }()
			synctest.Wait()
		}
		if err := ams.SendConfig(t.Context(), "nyc", 1, nil); !errors.Is(err, ErrTooMuchWaits) {
			t.Errorf("one more than may wait: got %v, want ErrTooMuchWaits", err)
		}
		ams.stop()
		for range maxConfigs {
			if err := <-done; !errors.Is(err, ErrNoSession) {
				t.Errorf("after the session: got %v, want ErrNoSession", err)
			}
		}
	})
}

func FuzzConfigParts(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 3, 'a'}, []byte("bc"), true, false)
	f.Fuzz(func(t *testing.T, a, b []byte, moreA, moreB bool) {
		var p configParts
		for i, part := range [][]byte{a, b} {
			m, err := p.take(part, []bool{moreA, moreB}[i])
			if err != nil {
				return
			}
			if m != nil && len(m.Body) > len(a)+len(b) {
				t.Errorf("a message of %d bytes from %d", len(m.Body), len(a)+len(b))
			}
		}
	})
}
