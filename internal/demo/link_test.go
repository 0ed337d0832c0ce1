package demo

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// ends returns both ends of a new connection over the link, and closes them with the test.
func ends(t *testing.T, l *link) (dialed, accepted net.Conn) {
	t.Helper()
	listener, err := l.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if dialed, err = l.Dial(t.Context(), "tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if accepted, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Join()
		_ = dialed.Close()
		_ = accepted.Close()
	})
	return dialed, accepted
}

// aMoment is how long nothing has to come where nothing may; what must come may take longer than any test.
const aMoment, anyTime = 50 * time.Millisecond, 30 * time.Second

// says writes text at one end and returns what arrives at the other within some time.
func says(t *testing.T, from, to net.Conn, text string, within time.Duration) (string, error) {
	t.Helper()
	if _, err := from.Write([]byte(text)); err != nil {
		t.Fatalf("write: %v", err)
	}
	if err := to.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := to.Read(buf)
	return string(buf[:n]), err
}

func TestLinkCarries(t *testing.T) {
	dialed, accepted := ends(t, newLink())
	for range 2 {
		if got, err := says(t, dialed, accepted, "hello", anyTime); got != "hello" || err != nil {
			t.Errorf("got %q, %v; want hello", got, err)
		}
		dialed, accepted = accepted, dialed
	}
}

func TestCutLinkIsSilent(t *testing.T) {
	l := newLink()
	dialed, accepted := ends(t, l)
	l.Cut()
	for range 2 {
		if got, err := says(t, dialed, accepted, "hello", aMoment); got != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %q, %v; want silence until the deadline", got, err)
		}
		dialed, accepted = accepted, dialed
	}
}

func TestCutLinkHidesTheEnd(t *testing.T) {
	l := newLink()
	dialed, accepted := ends(t, l)
	l.Cut()
	if err := dialed.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := dialed.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after close: got %v, want it closed", err)
	}
	if _, err := dialed.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after close: got %v, want it closed", err)
	}
	if _, err := says(t, accepted, accepted, "x", aMoment); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the other end sees %v, want silence until the deadline", err)
	}
}

func TestCloseWakesReadBehindCut(t *testing.T) {
	l := newLink()
	dialed, _ := ends(t, l)
	l.Cut()
	failed := make(chan error)
	go func() {
		_, err := dialed.Read(make([]byte, 1))
		failed <- err
	}()
	if err := dialed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want it closed", err)
	}
}

func TestCutLinkRefuses(t *testing.T) {
	l := newLink()
	listener, err := l.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	l.Cut()
	if _, err := l.Dial(t.Context(), "tcp", listener.Addr().String()); !errors.Is(err, errCut) {
		t.Errorf("dial: got %v, want that the link is cut", err)
	}
	// What comes in from elsewhere is closed, and the next one after the link is joined is accepted.
	stranger, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	accepted := make(chan net.Conn)
	go func() {
		conn, _ := listener.Accept()
		accepted <- conn
	}()
	if _, err := stranger.Read(make([]byte, 1)); err == nil {
		t.Error("a connection over a cut link stays open")
	}
	l.Join()
	conn, err := l.Dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if other := <-accepted; other == nil {
		t.Error("nothing is accepted after the link was joined")
	} else if err := other.Close(); err != nil {
		t.Error(err)
	}
}

func TestJoinKillsSilentConnections(t *testing.T) {
	l := newLink()
	dialed, accepted := ends(t, l)
	l.Cut()
	l.Join()
	for _, conn := range []net.Conn{dialed, accepted} {
		if n, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("got %d bytes, %v; want a dead connection", n, err)
		}
	}
	if len(l.conns) > 0 {
		t.Errorf("%d connections are still on the link", len(l.conns))
	}
	fresh, other := ends(t, l)
	if got, err := says(t, fresh, other, "again", anyTime); got != "again" || err != nil {
		t.Errorf("a new connection: got %q, %v", got, err)
	}
}

func TestLinkForgetsClosedConnections(t *testing.T) {
	l := newLink()
	dialed, accepted := ends(t, l)
	_ = dialed.Close()
	_ = accepted.Close()
	if len(l.conns) > 0 {
		t.Errorf("%d connections are still on the link", len(l.conns))
	}
	if _, err := l.Dial(context.Background(), "tcp", "127.0.0.1:1"); err == nil || len(l.conns) > 0 {
		t.Errorf("a failed dial: got %v, %d connections", err, len(l.conns))
	}
}
