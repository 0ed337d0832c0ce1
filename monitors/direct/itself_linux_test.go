//go:build !386

package direct

import (
	"errors"
	"syscall"
	"testing"
	"time"
)

// toItself is a socket that is connected with itself.
func toItself(t *testing.T) *conn {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	c := &conn{fd: fd}
	if c.remote = c.local(); c.remote.Port() == 0 {
		t.Fatal("no port was bound")
	}
	if err := connectTo(uintptr(fd), newPeer(c.remote)); err != 0 && !pending(err) {
		t.Fatalf("the kernel connects no socket with itself: %v", err)
	}
	return c
}

// TestLoopRefusesWhatMetItself: nobody listens there, whatever the exchange is about.
func TestLoopRefusesWhatMetItself(t *testing.T) {
	for _, tt := range []struct {
		name    string
		request string
		listens bool
	}{
		{"a request, and an answer is awaited", "GET / HTTP/1.1\r\n\r\n", true},
		{"a request, and nothing is awaited", "QUIT\r\n", false},
		{"no request, and a greeting is awaited", "", true},
		{"no request, and nothing is awaited", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := NewLoop()
			if err := l.listen(); err != nil {
				t.Fatal(err)
			}
			defer l.end()
			c, party := toItself(t), newScripted(until("GET"))
			party.sent = func() bool { return tt.listens }
			e := &Exchange{Context: t.Context(), To: c.remote, Deadline: soon(), Request: []byte(tt.request), Party: party}
			e.fd, e.peer, l.now = c.fd, *newPeer(c.remote), time.Now()
			l.board(e)
			l.proceed(e)
			for deadline := soon(); len(party.over) == 0; l.see() {
				if time.Now().After(deadline) {
					t.Fatal("it goes on")
				}
			}
			if err := <-party.over; !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("got %v, want connection refused", err)
			}
			if len(party.came) > 0 {
				t.Errorf("it heard itself: %q", party.came)
			}
		})
	}
}

// TestLoopHearsEchoes: who repeats the request is somebody all the same.
func TestLoopHearsEchoes(t *testing.T) {
	to := served(t, "127.0.0.1:0", answering(4, "PINGPONG"))
	l, _ := flying(t)
	for _, want := range []string{"PING", "PINGPONG"} {
		party := newScripted(until(want))
		if !l.Start(&Exchange{Context: t.Context(), To: to, Deadline: soon(), Request: []byte("PING"), Party: party}) {
			t.Fatal("it was not taken")
		}
		if err := <-party.over; err != nil || party.ended != nil {
			t.Errorf("got %v, %v, want %q", err, party.ended, want)
		}
	}
}
