package memnet

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// connect returns both ends of a connection from 10.0.0.2 to 10.0.0.1.
func connect(t *testing.T, n *Network) (near, far net.Conn) {
	t.Helper()
	l, _ := n.Host("10.0.0.1").Listen(t.Context(), "tcp", "10.0.0.1:3009")
	near, err := n.Host("10.0.0.2").Dial(t.Context(), "tcp", "10.0.0.1:3009")
	if err != nil {
		t.Fatal(err)
	}
	far, _ = l.Accept()
	return near, far
}

func TestBytesMoveBothWays(t *testing.T) {
	n := New()
	near, far := connect(t, n)
	for _, c := range [][2]net.Conn{{near, far}, {far, near}} {
		if _, err := c[0].Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4)
		if _, err := io.ReadFull(c[1], got); err != nil || string(got) != "ping" {
			t.Errorf("got %q, %v; want ping", got, err)
		}
	}
	if in, out := n.Host("10.0.0.2").Traffic(); in != (Traffic{4, 1}) || out != (Traffic{4, 1}) {
		t.Errorf("traffic: got %v in, %v out, want 4 octets in one record each", in, out)
	}
	_, _ = near.Write([]byte("last"))
	_ = near.Close()
	if got, err := io.ReadAll(far); err != nil || string(got) != "last" {
		t.Errorf("read after close: got %q, %v, want what was written before, then the end", got, err)
	}
	if _, err := far.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write to a closed end: got %v, want EPIPE", err)
	}
}

func TestALargeWriteWaitsForTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := connect(t, New())
		const size = 5*maxBuffered + 17
		go func() {
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(i % 251)
			}
			_, _ = near.Write(b)
			_ = near.Close()
		}()
		got, err := io.ReadAll(far)
		if err != nil || len(got) != size {
			t.Fatalf("got %d octets, %v, want %d", len(got), err, size)
		}
		for i, b := range got {
			if b != byte(i%251) {
				t.Fatalf("octet %d: got %d, want %d", i, b, i%251)
			}
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := connect(t, New())
		began := time.Now()
		_ = near.SetDeadline(began.Add(time.Second))
		_ = near.SetReadDeadline(began.Add(3 * time.Second))
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 3*time.Second {
			t.Errorf("read: got %v after %v, want the later deadline", err, time.Since(began))
		}
		began = time.Now()
		_ = near.SetWriteDeadline(began.Add(time.Hour))
		_ = near.SetWriteDeadline(began.Add(time.Second))
		if _, err := near.Write(make([]byte, 2*maxBuffered)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("write: got %v after %v, want the earlier deadline", err, time.Since(began))
		}
	})
}

func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New()
		near, far := connect(t, n)
		n.Stall()
		_, _ = near.Write([]byte("lost"))
		_ = far.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := far.Read(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("stalled: got %v, want nothing to arrive", err)
		}
		near, far = connect(t, n)
		n.Host("10.0.0.2").Cut()
		for _, c := range []net.Conn{near, far} {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("cut: got %v, want a reset at both ends", err)
			}
		}
		n.Down(true)
		if _, err := n.Host("10.0.0.2").Dial(t.Context(), "tcp", "10.0.0.1:3009"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("down: got %v, want a refusal", err)
		}
		if n.Dials() != 3 || n.Opened() != 2 {
			t.Errorf("got %d dials and %d connections, want 3 and 2", n.Dials(), n.Opened())
		}
	})
}
