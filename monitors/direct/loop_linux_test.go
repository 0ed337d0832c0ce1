//go:build !386

package direct

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a party that does what its functions say, and tells what became of it.
type scripted struct {
	sent  func() bool
	hear  func(came []byte, ended error) Want
	taken chan net.Conn // gets what was handed over
	over  chan error    // gets what Done was called with, or errDropped

	came  []string // each time
	ended error
	left  string // what came before Take
}

var errDropped = errors.New("dropped")

func newScripted(hear func(came []byte, ended error) Want) *scripted {
	return &scripted{sent: func() bool { return hear != nil }, hear: hear, taken: make(chan net.Conn, 1), over: make(chan error, 2)}
}

func (s *scripted) Sent() bool { return s.sent() }
func (s *scripted) Hear(came []byte, ended error) Want {
	s.came, s.ended = append(s.came, string(came)), ended
	return s.hear(came, ended)
}
func (s *scripted) Take(conn net.Conn, came []byte) {
	s.left = string(came)
	s.taken <- conn
}
func (s *scripted) Done(err error) { s.over <- err }
func (s *scripted) Drop()          { s.over <- errDropped }

// until waits for more until the text is there.
func until(text string) func([]byte, error) Want {
	return func(came []byte, ended error) Want {
		if ended != nil || strings.Contains(string(came), text) {
			return Enough
		}
		return More
	}
}

// flying is a loop that runs until the test is over, or stop is called.
func flying(t *testing.T) (l *Loop, stop func()) {
	t.Helper()
	l = NewLoop()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := l.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	for deadline := soon(); !l.isOpen(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("it does not run")
		}
	}
	return l, stop
}

func (l *Loop) isOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

func (l *Loop) underWay() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flights
}

// served is the address of a server that does the same with every connection.
func served(t *testing.T, address string, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, to := listening(t, address)
	var ended sync.WaitGroup
	ended.Go(func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			ended.Go(func() { defer conn.Close(); serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); ended.Wait() })
	return to
}

// answering reads a request of n bytes and answers.
func answering(n int, answer string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, n)); err == nil {
			io.WriteString(c, answer)
		}
	}
}

func holding(c net.Conn) { io.Copy(io.Discard, c) }

func TestLoop(t *testing.T) {
	gone, nobody := listening(t, "127.0.0.1:0")
	gone.Close()
	const large = 8 << 20
	for _, tt := range []struct {
		name    string
		address string
		serve   func(net.Conn) // nil: nobody listens
		request string
		party   *scripted
		done    error    // what Done is called with
		came    []string // what was heard
		ended   error
	}{
		{"connect", "127.0.0.1:0", holding, "", newScripted(nil), nil, nil, nil},
		{"connect to IPv6", "[::1]:0", holding, "", newScripted(nil), nil, nil, nil},
		{"send", "127.0.0.1:0", holding, "hello", newScripted(nil), nil, nil, nil},
		{"answer", "127.0.0.1:0", answering(5, "world"), "hello", newScripted(until("world")), nil, []string{"world"}, nil},
		{"answer over IPv6", "[::1]:0", answering(5, "world"), "hello", newScripted(until("world")), nil, []string{"world"}, nil},
		{"greeting", "127.0.0.1:0", func(c net.Conn) { io.WriteString(c, "220"); holding(c) }, "", newScripted(until("220")), nil, []string{"220"}, nil},
		{"closed", "127.0.0.1:0", answering(5, ""), "hello", newScripted(until("world")), nil, []string{""}, io.EOF},
		{"closed in between", "127.0.0.1:0", answering(5, "wor"), "hello", newScripted(until("world")), nil, []string{"wor", "wor"}, io.EOF},
		{"reset", "127.0.0.1:0", func(c net.Conn) { answering(5, "")(c); c.(*net.TCPConn).SetLinger(0) }, "hello", newScripted(until("world")), nil, []string{""}, syscall.ECONNRESET},
		{"refused", "", nil, "hello", newScripted(until("")), syscall.ECONNREFUSED, nil, nil},
		{"refused, nothing to send", "", nil, "", newScripted(nil), syscall.ECONNREFUSED, nil, nil},
		{"long request", "127.0.0.1:0", answering(large, "world"), strings.Repeat("x", large), newScripted(until("world")), nil, []string{"world"}, nil},
		{"silent", "127.0.0.1:0", holding, "hello", newScripted(until("world")), nil, []string{""}, os.ErrDeadlineExceeded},
		{"does not read", "127.0.0.1:0", holding, strings.Repeat("x", 4*large), newScripted(until("world")), nil, []string{""}, os.ErrDeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, _ := flying(t)
			to := nobody
			if tt.serve != nil {
				serve := tt.serve
				if tt.name == "does not read" {
					serve = func(net.Conn) { <-t.Context().Done() } // before the server is waited for
				}
				to = served(t, tt.address, serve)
			}
			deadline := soon()
			if tt.ended == os.ErrDeadlineExceeded {
				deadline = time.Now().Add(50 * time.Millisecond)
			}
			e := &Exchange{Context: context.Background(), To: to, Deadline: deadline, Request: []byte(tt.request), Party: tt.party}
			if !l.Start(e) {
				t.Fatal("it was not taken")
			}
			if err := <-tt.party.over; !errors.Is(err, tt.done) || tt.done != nil && !dialing(err) {
				t.Errorf("done: %v, want %v", err, tt.done)
			}
			if !slices.Equal(tt.party.came, tt.came) || !errors.Is(tt.party.ended, tt.ended) {
				t.Errorf("heard %q, %v, want %q, %v", tt.party.came, tt.party.ended, tt.came, tt.ended)
			}
			if late := time.Since(deadline); tt.ended == os.ErrDeadlineExceeded && (late < 0 || late > 2*time.Second) {
				t.Errorf("%v after the deadline", late)
			}
			if want := tt.name == "does not read"; (e.SendErr != nil) != want || (e.Written < len(tt.request)) != want && tt.done == nil {
				t.Errorf("sent %d of %d, %v", e.Written, len(tt.request), e.SendErr)
			}
			if n := l.underWay(); n != 0 {
				t.Errorf("%d under way", n)
			}
		})
	}
}

// dialing reports whether an error is one of connecting, as package net has them.
func dialing(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" && op.Net == "tcp"
}

func TestLoopWaitsForConnections(t *testing.T) {
	to := full(t)
	l, _ := flying(t)
	for _, request := range []string{"", "hello"} {
		party := newScripted(until("world"))
		if !l.Start(&Exchange{Context: t.Context(), To: to, Deadline: time.Now().Add(50 * time.Millisecond), Request: []byte(request), Party: party}) {
			t.Fatal("it was not taken")
		}
		if err := <-party.over; !errors.Is(err, os.ErrDeadlineExceeded) || !dialing(err) || len(party.came) > 0 {
			t.Errorf("%q: %v, heard %q", request, err, party.came)
		}
	}
}

// TestLoopConnectsLater: what is sent when the connection stands, which did not at first.
func TestLoopConnectsLater(t *testing.T) {
	l, to := listening(t, "127.0.0.1:0")
	loop := &Loop{}
	if err := loop.listen(); err != nil {
		t.Fatal(err)
	}
	defer loop.file.Close()
	party := newScripted(until("world"))
	e := &Exchange{Context: t.Context(), To: to, Deadline: soon(), Request: []byte("hello"), Party: party}
	e.peer = *newPeer(to)
	var err error
	if e.fd, err = newSocket(to); err != nil {
		t.Fatal(err)
	}
	loop.flights++
	loop.board(e)
	loop.watch(e, whenRoom) // as if it had been asked too early
	if outcome := connectTo(uintptr(e.fd), &e.peer); !pending(outcome) {
		t.Fatal(outcome)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	for loop.see() > 0 {
	}
	heard := make([]byte, 5)
	if _, err := io.ReadFull(far, heard); err != nil || string(heard) != "hello" {
		t.Errorf("sent %q, %v", heard, err)
	}
	io.WriteString(far, "world")
	for loop.see() > 0 {
	}
	if !slices.Equal(party.came, []string{"world"}) {
		t.Errorf("heard %q", party.came)
	}
	if err := <-party.over; err != nil {
		t.Error(err)
	}
}

// TestLoopLeavesWhatIsLong: an answer in many parts, a long one, and one that its party wants.
func TestLoopLeavesWhatIsLong(t *testing.T) {
	for _, tt := range []struct {
		name  string
		parts int // of one byte each, after the first
		first string
		want  Want
		left  string // what came until it is left
	}{
		{"in many parts", 20, "x", More, strings.Repeat("x", maxHears)},
		{"long", 1, strings.Repeat("y", maxHeld), More, strings.Repeat("y", maxHeld)},
		{"wanted", 3, "x", Leave, "x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, _ := flying(t)
			next := make(chan struct{}, tt.parts+1)
			to := served(t, "127.0.0.1:0", func(c net.Conn) {
				io.WriteString(c, tt.first)
				for range tt.parts {
					<-next
					io.WriteString(c, "x")
				}
			})
			party := newScripted(func([]byte, error) Want {
				next <- struct{}{}
				return tt.want
			})
			if !l.Start(&Exchange{Context: t.Context(), To: to, Deadline: soon(), Party: party}) {
				t.Fatal("it was not taken")
			}
			conn := <-party.taken
			for range tt.parts {
				select {
				case next <- struct{}{}:
				default:
				}
			}
			rest, err := io.ReadAll(conn)
			conn.Close()
			if all := tt.first + strings.Repeat("x", tt.parts); party.left+string(rest) != all || err != nil {
				t.Errorf("%d bytes came and %d followed, %v: want %d in all", len(party.left), len(rest), err, len(all))
			}
			if party.left != tt.left {
				t.Errorf("left with %d bytes, want %d", len(party.left), len(tt.left))
			}
			if n := l.underWay(); n != 0 || len(party.over) > 0 {
				t.Errorf("%d under way, done %d times", n, len(party.over))
			}
		})
	}
}

// TestLoopDrops what is under way when its context ends, or the loop does, and closes the connection.
func TestLoopDrops(t *testing.T) {
	for _, which := range []string{"the context", "the context, before", "the loop"} {
		t.Run(which, func(t *testing.T) {
			l, stop := flying(t)
			came, closed := make(chan struct{}), make(chan struct{})
			to := served(t, "127.0.0.1:0", func(c net.Conn) { close(came); holding(c); close(closed) })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if which == "the context, before" {
				cancel()
			}
			party := newScripted(until("never"))
			if !l.Start(&Exchange{Context: ctx, To: to, Deadline: soon(), Request: []byte("hello"), Party: party}) {
				t.Fatal("it was not taken")
			}
			switch which {
			case "the context":
				<-came
				cancel()
			case "the loop":
				<-came
				stop()
			}
			if err := <-party.over; err != errDropped {
				t.Errorf("done: %v", err)
			}
			if which != "the context, before" {
				<-closed
			}
			if n := l.underWay(); n != 0 {
				t.Errorf("%d under way", n)
			}
			if which == "the loop" && l.Start(&Exchange{Context: t.Context(), To: to, Deadline: soon(), Party: party}) {
				t.Error("it takes more")
			}
		})
	}
}

func TestLoopRunsAgain(t *testing.T) {
	l := NewLoop()
	to := served(t, "127.0.0.1:0", holding)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for range 2 { // the second only waits
			running.Go(func() {
				if err := l.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		party := newScripted(nil)
		for deadline := soon(); !l.Start(&Exchange{Context: ctx, To: to, Deadline: deadline, Party: party}); runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatal("it was not taken")
			}
		}
		if err := <-party.over; err != nil {
			t.Error(err)
		}
		cancel()
		running.Wait()
	}
}

func TestLoopRefusesWhatIsTooMuch(t *testing.T) {
	to := served(t, "127.0.0.1:0", holding)
	start := func(l *Loop) bool {
		return l.Start(&Exchange{Context: t.Context(), To: to, Deadline: soon(), Party: newScripted(nil)})
	}
	if start(&Loop{open: true, roused: true, flights: maxFlights}) {
		t.Error("it takes more than it may")
	}
	behind := &Loop{open: true, roused: true}
	for i := range maxWaiting {
		if !start(behind) {
			t.Fatalf("it takes no more than %d", i)
		}
	}
	if start(behind) {
		t.Error("it takes more while it is behind")
	}
}

// TestLoopEndsByDeadlines: of many, each at its own.
func TestLoopEndsByDeadlines(t *testing.T) {
	l, _ := flying(t)
	to := served(t, "127.0.0.1:0", holding)
	const n = 100
	var waiting sync.WaitGroup
	var mu sync.Mutex
	var late []time.Duration
	began := time.Now()
	for i := range n {
		deadline := began.Add(time.Duration(50+i*37%n) * time.Millisecond)
		party := newScripted(nil)
		party.sent = func() bool { return true }
		party.hear = func(_ []byte, ended error) Want {
			mu.Lock()
			defer mu.Unlock()
			if late = append(late, time.Since(deadline)); !errors.Is(ended, os.ErrDeadlineExceeded) {
				t.Error(ended)
			}
			return Enough
		}
		if !l.Start(&Exchange{Context: t.Context(), To: to, Deadline: deadline, Request: []byte("x"), Party: party}) {
			t.Fatal("it was not taken")
		}
		waiting.Go(func() { <-party.over })
	}
	waiting.Wait()
	slices.Sort(late)
	if late[0] < 0 || late[n/2] > 250*time.Millisecond {
		t.Errorf("from %v to %v after their deadlines, half of them above %v", late[0], late[n-1], late[n/2])
	}
}

// TestIdleLoopWaitsForNothing: it does not keep a bubble's clock from moving, and so is parked.
func TestIdleLoopWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLoop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := l.Run(ctx); err != nil || l.file != nil {
			t.Error(err, l.file)
		}
	})
}

func TestDeadlinesAreInOrder(t *testing.T) {
	var d deadlines
	r := rand.New(rand.NewPCG(1, 2))
	base := time.Unix(1e9, 0)
	var in []*Exchange
	for range 2000 {
		if len(in) > 0 && r.IntN(3) == 0 {
			at := r.IntN(len(in))
			d.remove(in[at])
			d.remove(in[at]) // is out
			in = slices.Delete(in, at, at+1)
		} else {
			e := &Exchange{Deadline: base.Add(time.Duration(r.IntN(1000)))}
			d.add(e)
			in = append(in, e)
		}
		if len(in) == 0 {
			if d.first() != nil {
				t.Fatal("it is not empty")
			}
			continue
		}
		least := slices.MinFunc(in, func(a, b *Exchange) int { return a.Deadline.Compare(b.Deadline) })
		if got := d.first(); len(d) != len(in) || !got.Deadline.Equal(least.Deadline) || d[got.place] != got {
			t.Fatalf("first of %d is %v, want %v of %d", len(d), got.Deadline, least.Deadline, len(in))
		}
	}
}

func TestSocketThatMetItself(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		_, to := listening(t, address)
		c, err := open(t.Context(), to, soon())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if metItself(c.fd, newPeer(to)) || !metItself(c.fd, newPeer(c.local())) {
			t.Errorf("from %v to %v: met itself %v; if it were from %v: %v", c.local(), to, metItself(c.fd, newPeer(to)), c.local(), metItself(c.fd, newPeer(c.local())))
		}
	}
}
