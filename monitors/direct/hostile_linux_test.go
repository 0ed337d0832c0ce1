//go:build !386

package direct

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hostile are servers that do what they should not.
var hostile = map[string]func(net.Conn){
	"answers":            answering(5, "world"),
	"is silent":          holding,
	"resets":             func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) },
	"closes":             func(net.Conn) {},
	"says half":          func(c net.Conn) { io.WriteString(c, "wor"); holding(c) },
	"closes half":        func(c net.Conn) { io.WriteString(c, "world"); c.(*net.TCPConn).CloseWrite(); holding(c) },
	"answers and resets": func(c net.Conn) { answering(5, "world")(c); c.(*net.TCPConn).SetLinger(0) },
	"is endless": func(c net.Conn) {
		for err := error(nil); err == nil; {
			_, err = io.WriteString(c, strings.Repeat("x", 4096))
		}
	},
	"drips": func(c net.Conn) {
		for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
			if _, err := io.WriteString(c, "x"); err != nil {
				tick.Stop()
				return
			}
		}
	},
}

// counted is a party that counts how often it is told of the end.
type counted struct {
	ends  atomic.Int32
	all   *sync.WaitGroup
	taken bool // it takes connections over and closes them
}

func (c *counted) end() {
	if c.ends.Add(1) == 1 {
		c.all.Done()
	}
}
func (c *counted) Sent() bool { return true }
func (c *counted) Hear(came []byte, ended error) Want {
	switch {
	case ended != nil || strings.Contains(string(came), "world"):
		return Enough
	case c.taken:
		return Leave
	}
	return More
}
func (c *counted) Take(conn net.Conn, _ []byte) {
	go func() {
		io.Copy(io.Discard, conn) // until its deadline
		conn.Close()
		c.end()
	}()
}
func (c *counted) Done(error) { c.end() }
func (c *counted) Drop()      { c.end() }

// TestLoopAmongHostileServers: whatever they do, and whenever contexts and the loop end, each exchange ends once and by its deadline, no
// descriptor is left open, and none is closed that is somebody else's meanwhile.
func TestLoopAmongHostileServers(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("no list of descriptors here:", err)
	}
	var servers []netip.AddrPort
	for _, serve := range hostile {
		servers = append(servers, served(t, "127.0.0.1:0", serve))
	}
	stop := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() { othersFiles(t, stop) })
	before := -1
	for round := range 4 {
		runHostile(t, servers, rand.New(rand.NewPCG(1, uint64(round))))
		deadline := soon() // servers close at their leisure, and have descriptors here, too
		for n := descriptors(t); before >= 0 && n > before+8 && time.Now().Before(deadline); n = descriptors(t) {
			runtime.Gosched()
		}
		if n := descriptors(t); before < 0 {
			before = n
		} else if n > before+8 {
			t.Errorf("round %d: %d descriptors, there were %d", round, n, before)
		}
	}
	close(stop)
	others.Wait()
}

// runHostile runs a loop twice, and ends it among its exchanges.
func runHostile(t *testing.T, servers []netip.AddrPort, r *rand.Rand) {
	l := NewLoop()
	for range 2 {
		running, end := context.WithCancel(t.Context())
		var all, run sync.WaitGroup
		run.Go(func() {
			if err := l.Run(running); err != nil {
				t.Error(err)
			}
		})
		for !l.isOpen() {
			runtime.Gosched()
		}
		var parties []*counted
		for range 300 {
			ctx, cancel := context.WithCancel(t.Context())
			party := &counted{all: &all, taken: r.IntN(3) == 0}
			all.Add(1)
			e := &Exchange{Context: ctx, To: servers[r.IntN(len(servers))], Within: time.Duration(1+r.IntN(300)) * time.Millisecond, Request: []byte("hello"), Party: party}
			if r.IntN(4) == 0 {
				time.AfterFunc(time.Duration(r.IntN(250))*time.Millisecond, cancel)
			} else {
				t.Cleanup(cancel)
			}
			if !l.Start(e) {
				party.end()
			}
			parties = append(parties, party)
		}
		time.AfterFunc(time.Duration(50+r.IntN(500))*time.Millisecond, end)
		began := time.Now()
		run.Wait()
		all.Wait()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		for _, p := range parties {
			if n := p.ends.Load(); n != 1 {
				t.Errorf("an exchange ended %d times", n)
			}
		}
		if n := l.underWay(); n != 0 {
			t.Errorf("%d are under way", n)
		}
	}
}

// othersFiles opens and closes files, and sees whether anybody else closes them.
func othersFiles(t *testing.T, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Error(err)
			return
		}
		runtime.Gosched()
		_, wrong := w.WriteString("mine")
		got := make([]byte, 4)
		if _, err := io.ReadFull(r, got); wrong != nil || err != nil || string(got) != "mine" {
			t.Errorf("somebody else used a descriptor: %v, %v, %q", wrong, err, got)
		}
		if err, other := r.Close(), w.Close(); err != nil || other != nil {
			t.Errorf("somebody else closed a descriptor: %v, %v", err, other)
		}
	}
}

// descriptors is how many are open.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
