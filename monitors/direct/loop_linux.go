//go:build !386

package direct

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// Limits of a loop.
const (
	maxFlights  = 4096    // exchanges under way; others are not for the loop
	maxWaiting  = 512     // of them not begun: when the loop is behind, others are not for it, either
	maxTogether = 128     // of them kept back until those that are started together are made; more of them begin before
	maxBegins   = 8       // exchanges begun before it is looked what happened to others, whose answers are timed
	maxEvents   = 128     // taken from the kernel at a time
	maxHeld     = 4 << 10 // bytes of an answer that the loop keeps; a longer one is left to its party
	maxHears    = 8       // parts in which an answer may come; what comes in more is left to its party
)

// Loop runs exchanges, all of them on one goroutine: at thousands a second, waking a goroutine for each and telling the runtime's
// poller of each socket costs as much as their calls do. Sockets are in an epoll set of the loop's own, and that set is in the
// runtime's poller: the goroutine is parked there while nothing happens, holds no thread, and is woken by new exchanges and by their
// earliest deadline without a system call. Safe for concurrent use.
type Loop struct {
	first   chan struct{} // holds one: there is an exchange
	running chan struct{} // holds one: for the call of Run that runs, until all is closed

	mu       sync.Mutex
	open     bool        // exchanges are taken
	flights  int         // taken, and not over
	holding  int         // calls of Together that have not returned
	queue    []*Exchange // not begun
	dropped  []*Exchange // whose context has ended
	deadline time.Time   // of the wait in the poller
	roused   bool        // what waits in the lists was told of
	file     *os.File    // the epoll set; nil: there is none yet

	// What follows belongs to the goroutine in Run.
	epoll     int
	raw       syscall.RawConn // of file
	events    [maxEvents]syscall.EpollEvent
	ready     int // of events
	slots     []*Exchange
	free      []int32
	uses      int32 // of slots, so far
	deadlines deadlines
	young     young
	now       time.Time   // when it looked around
	spare     []*Exchange // room for the next queue
	heard     [maxHeld]byte
}

// NewLoop returns a Loop. It takes exchanges while Run runs.
func NewLoop() *Loop { return &Loop{first: make(chan struct{}, 1), running: make(chan struct{}, 1)} }

// Start takes an exchange and returns at once, and reports whether it did: false means that it is not for the loop, which does not run, has as
// many as it may, is behind, or does not know the zone of the address.
func (l *Loop) Start(e *Exchange) bool {
	if !suits(e.To) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open || l.flights >= maxFlights || len(l.queue) >= maxWaiting {
		return false
	}
	l.flights++
	l.queue = append(l.queue, e)
	if l.holding == 0 || len(l.queue) >= maxTogether {
		l.rouse()
	}
	return true
}

// Together calls start, and has the exchanges that are given to the loop meanwhile begin when it returns: the loop is woken once for
// all of them, and does not begin the first while the others are still made. Of very many it begins the first before.
func (l *Loop) Together(start func()) {
	l.mu.Lock()
	l.holding++
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.holding--; l.open && len(l.queue) > 0 {
			l.rouse()
		}
	}()
	start()
}

// drop ends an exchange early.
func (l *Loop) drop(e *Exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		l.dropped = append(l.dropped, e)
		l.rouse()
	}
}

// rouse has the loop look at its lists. l.mu is held.
func (l *Loop) rouse() {
	if l.roused {
		return
	}
	l.roused = true
	if l.file == nil {
		select {
		case l.first <- struct{}{}:
		default:
		}
		return
	}
	_ = l.file.SetReadDeadline(past) // fails only once it is closed
}

// Run runs exchanges until ctx ends, then drops those under way, and returns when the connections of all are closed. It opens nothing
// before there is an exchange. It may be called again. While it runs already, a second call waits until that has returned.
func (l *Loop) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case l.running <- struct{}{}:
	}
	defer func() { <-l.running }()
	l.mu.Lock()
	l.open = true
	l.mu.Unlock()
	defer l.end()
	select {
	case <-ctx.Done():
		return nil
	case <-l.first:
	}
	if err := l.listen(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.open {
			l.rouse()
		}
	})
	defer stop()
	poll := func(uintptr) bool {
		l.ready = wait(l.epoll, l.events[:])
		return l.ready > 0
	}
	for ctx.Err() == nil {
		if err := l.raw.Read(poll); err != nil { // a deadline: of an exchange, or since there is something new
			l.lookAround(time.Now())
		} else {
			for i := range l.events[:l.ready] {
				l.happened(&l.events[i])
			}
		}
		l.arm()
	}
	return nil
}

// listen makes the epoll set.
func (l *Loop) listen() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err == nil {
		err = syscall.SetNonblock(fd, true) // os.NewFile gives only such files to the poller
	}
	if err != nil {
		return fmt.Errorf("make a set of sockets: %w", err)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	if l.raw, err = file.SyscallConn(); err != nil {
		file.Close()
		return fmt.Errorf("poll a set of sockets: %w", err)
	}
	l.epoll = fd
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file = file
	return file.SetReadDeadline(past) // for what is in the queue
}

// end drops all that is under way or waits, and forgets the set.
func (l *Loop) end() {
	l.mu.Lock()
	l.open, l.roused = false, false
	queue := l.queue
	l.queue, l.dropped = nil, nil
	file := l.file
	l.file = nil
	select {
	case <-l.first:
	default:
	}
	l.mu.Unlock()
	for _, e := range l.slots {
		if e != nil {
			l.over(e)
			e.Party.Drop()
		}
	}
	for _, e := range queue {
		l.landed()
		e.Party.Drop()
	}
	l.slots, l.free, l.spare, l.deadline = nil, nil, nil, time.Time{}
	if file != nil {
		file.Close()
	}
}

// landed counts an exchange that is over.
func (l *Loop) landed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flights--
}

// lookAround begins what is new, drops what is to be dropped, and ends what is late.
func (l *Loop) lookAround(now time.Time) {
	l.now = now
	l.mu.Lock()
	queue, dropped := l.queue, l.dropped
	l.queue, l.dropped, l.roused = l.spare[:0], nil, false
	l.deadline = time.Time{}
	_ = l.file.SetReadDeadline(l.deadline) // fails only once it is closed
	l.mu.Unlock()
	for _, e := range dropped {
		if e.under {
			l.over(e)
			e.Party.Drop()
		}
	}
	for i, e := range queue {
		if i%maxBegins == maxBegins-1 {
			l.see()
		}
		l.begin(e)
		queue[i] = nil
	}
	l.spare = queue[:0]
	for e := l.young.grownUp(now); e != nil; e = l.young.grownUp(now) {
		l.book(e)
	}
	l.expire(now)
}

// expire ends what is late. What came in time counts, even if it is looked at too late.
func (l *Loop) expire(now time.Time) {
	if e := l.deadlines.first(); e == nil || e.Deadline.After(now) {
		return
	}
	for l.see() > 0 {
	}
	for e := l.deadlines.first(); e != nil && !e.Deadline.After(now); e = l.deadlines.first() {
		l.late(e)
	}
}

// see takes in what has happened, and returns how much that was.
func (l *Loop) see() int {
	n := wait(l.epoll, l.events[:])
	for i := range l.events[:n] {
		l.happened(&l.events[i])
	}
	return n
}

// arm has the wait end at the earliest deadline, or when an exchange is not young any more. One that ends earlier, for an exchange that is
// over meanwhile, is left alone.
func (l *Loop) arm() {
	var next time.Time
	if e := l.deadlines.first(); e != nil {
		next = e.Deadline
	}
	if e := l.young.first; e != nil {
		if grown := e.waits.Add(youngFor); next.IsZero() || grown.Before(next) {
			next = grown
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if next.IsZero() || l.roused || !l.deadline.IsZero() && !l.deadline.After(next) {
		return
	}
	l.deadline = next
	_ = l.file.SetReadDeadline(l.deadline) // fails only once it is closed
}
