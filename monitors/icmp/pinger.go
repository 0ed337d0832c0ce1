package icmp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// maxWaiting is how many pings are under way by one socket.
	maxWaiting = 16384
	// maxReadErrors is how many errors of reading in a row end a session; errors about requests do not count.
	maxReadErrors = 16
	// maxSockets is how many sockets a family has at most. Each but the last is full.
	maxSockets = 64
)

// Pinger sends echo requests and waits for their answers. All pings of a family that are under way share one socket: the first opens
// it, the last closes it and sees its reader end. There are more only while what was sent to hosts that nobody finds fills the others:
// it must not hold up what goes elsewhere. Safe for concurrent use; the zero value is ready.
type Pinger struct {
	mu       sync.Mutex
	sessions [2][]*session // IPv4, IPv6; none: no ping is under way
}

// session is a socket while pings are under way.
type session struct {
	socket *Socket
	ended  chan struct{} // closed when the reader has ended
	users  int           // under the Pinger's lock

	mu      sync.Mutex
	waiting map[uint64]*wait
	next    uint16 // sequence
	err     error  // that ended the reader
}

type wait struct {
	to       netip.Addr
	sequence uint16
	size     int
	done     chan Event // capacity 1
}

// Reply is the answer to a ping.
type Reply struct {
	RTT time.Duration
}

// errManyPings says that too many are under way.
var errManyPings = fmt.Errorf("more than %d pings are under way", maxWaiting)

// Ping sends one echo request with size octets after its header, from MinSize to MaxSize, and waits for its reply until ctx ends. The
// error wraps an *Unreachable when the system was told that none will come, and an *UnavailableError when it may not be asked.
func (p *Pinger) Ping(ctx context.Context, to netip.Addr, size int) (Reply, error) {
	for at := 0; ; at++ {
		s, err := p.enter(to.Is6(), at)
		if err != nil {
			return Reply{}, err
		}
		reply, err := s.ping(ctx, to, size)
		p.leave(s, to.Is6())
		if at+1 >= maxSockets || !errors.Is(err, errFull) {
			return reply, err
		}
	}
}

func (s *session) ping(ctx context.Context, to netip.Addr, size int) (Reply, error) {
	token, w, err := s.expect(to.WithZone(""), size)
	if err != nil {
		return Reply{}, err
	}
	defer s.forget(token)
	sent := time.Now()
	if err := s.socket.Send(to, w.sequence, token, size); err != nil {
		return Reply{}, err
	}
	select {
	case e := <-w.done:
		if e.Failure != nil {
			return Reply{}, e.Failure
		}
		return Reply{RTT: e.At.Sub(sent)}, nil
	case <-s.ended:
		return Reply{}, s.failure()
	case <-ctx.Done():
		return Reply{}, ctx.Err()
	}
}

// enter joins the session of a family that has this place among them, or begins one behind the last.
func (p *Pinger) enter(six bool, at int) (*session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := &p.sessions[family(six)]
	*list = slices.DeleteFunc(*list, func(s *session) bool { return s.failure() != nil })
	if at >= len(*list) {
		socket, err := Open(six)
		if err != nil {
			return nil, err
		}
		s := &session{socket: socket, ended: make(chan struct{}), waiting: make(map[uint64]*wait), next: uint16(random())}
		*list = append(*list, s)
		go s.read()
	}
	s := (*list)[min(at, len(*list)-1)]
	s.users++
	return s, nil
}

// leave ends the session if this was its last ping.
func (p *Pinger) leave(s *session, six bool) {
	p.mu.Lock()
	s.users--
	last := s.users == 0
	if last {
		list := &p.sessions[family(six)]
		*list = slices.DeleteFunc(*list, func(other *session) bool { return other == s })
	}
	p.mu.Unlock()
	if last {
		_ = s.socket.Close()
		<-s.ended
	}
}

func family(six bool) int {
	if six {
		return 1
	}
	return 0
}

// expect notes that a reply is waited for.
func (s *session) expect(to netip.Addr, size int) (uint64, *wait, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) >= maxWaiting {
		return 0, nil, errManyPings
	}
	token := random()
	for s.waiting[token] != nil {
		token = random()
	}
	s.next++
	w := &wait{to: to, sequence: s.next, size: size, done: make(chan Event, 1)}
	s.waiting[token] = w
	return token, w, nil
}

func (s *session) forget(token uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, token)
}

func (s *session) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// read hands what comes back to those who wait for it, until the socket is closed.
func (s *session) read() {
	defer close(s.ended)
	failed := 0
	for {
		e, err := s.socket.Read()
		if err == nil {
			failed = 0
			s.tell(e)
			continue
		}
		if failed++; errors.Is(err, net.ErrClosed) || failed > maxReadErrors {
			s.mu.Lock()
			s.err = fmt.Errorf("read ICMP: %w", err)
			s.mu.Unlock()
			return
		}
	}
}

// tell hands an event to who waits for it. Whatever does not carry the token of a ping that is under way, come from its target and have
// its size, is forged, late, or somebody else's; errors that quote too little for a token must name target and sequence.
func (s *session) tell(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.waiting[e.Echo.Token]
	if e.Partial {
		w = s.bySequence(e)
	}
	if w == nil || w.to != e.From || e.Failure == nil && w.size != e.Size {
		return
	}
	select {
	case w.done <- e:
	default: // a copy
	}
}

func (s *session) bySequence(e Event) *wait {
	for _, w := range s.waiting {
		if w.sequence == e.Echo.Sequence && w.to == e.From {
			return w
		}
	}
	return nil
}

// random is a number that nobody guesses.
func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}
