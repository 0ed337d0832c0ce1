package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	askPause   = 3 * time.Millisecond
	askTimeout = time.Second
	// What is promised, besides the intervals.
	changeMargin = 200 * time.Millisecond
	killMargin   = time.Second
	stopLimit    = 300 * time.Millisecond
)

// result is what was measured of one kind of change.
type result struct {
	what     string
	promised time.Duration
	delays   []time.Duration // each of one site
	late     time.Duration   // the most that this program's timers were late meanwhile
}

// quantile returns the delay that a share of all does not exceed; 0 without any.
func (r result) quantile(q float64) time.Duration {
	if len(r.delays) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.delays))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// changes lets the back-end of one site after another fail and work again.
func (m *mesh) changes(ctx context.Context) (result, error) {
	r := result{what: "a service's state, at its site", promised: m.plan.interval + changeMargin}
	for i := range m.plan.changes {
		s := m.sites[i/2%len(m.sites)]
		want := up
		if s.backend != nil {
			want = lost
			_ = s.backend.Close()
			s.backend = nil
		} else {
			l, err := net.Listen("tcp", s.backendAt)
			if err != nil {
				return r, fmt.Errorf("start the back-end again: %w", err)
			}
			s.backend = l
			go greet(l)
		}
		var began time.Time
		var own error
		seen := make(chan struct{})
		go func() {
			defer close(seen)
			began, own = s.until(ctx, "web-"+s.name, want)
		}()
		err := r.observe(ctx, m.others(s), "web-"+s.name, want, func() time.Time { <-seen; return began })
		if err != nil || own != nil {
			return r, fmt.Errorf("change %d at %s: %w", i, s.name, cmp.Or(own, err))
		}
		if err := pause(ctx, time.Duration(rand.Int64N(int64(m.plan.interval)))); err != nil {
			return r, err
		}
	}
	return r, m.settled(ctx)
}

// kills lets one site after another fall silent, and come back.
func (m *mesh) kills(ctx context.Context) (result, error) {
	r := result{what: "a site fell silent", promised: m.plan.keepalive + killMargin}
	for i := range m.plan.kills {
		s := m.sites[i%len(m.sites)]
		began := time.Now()
		s.network.silent.Store(true)
		err := r.observe(ctx, m.others(s), "plain-"+s.name, lost, func() time.Time { return began })
		s.network.silent.Store(false)
		if err != nil {
			return r, fmt.Errorf("%s fell silent: %w", s.name, err)
		}
		if err := m.settled(ctx); err != nil {
			return r, err
		}
	}
	return r, nil
}

// stops lets one site after another stop as planned.
func (m *mesh) stops(ctx context.Context) (result, error) {
	r := result{what: "a site stopped as planned", promised: stopLimit}
	for i := range m.plan.stops {
		s := m.sites[i]
		others := m.others(s)
		began := time.Now()
		s.stop()
		if err := r.observe(ctx, others, "plain-"+s.name, lost, func() time.Time { return began }); err != nil {
			return r, fmt.Errorf("%s stopped: %w", s.name, err)
		}
		if err := s.end(); err != nil {
			return r, fmt.Errorf("%s stopped: %w", s.name, err)
		}
	}
	return r, nil
}

// observe asks sites until each answers as wanted, and notes how long that was after began.
func (r *result) observe(ctx context.Context, at []*site, name string, want answer, began func() time.Time) error {
	var mu sync.Mutex
	var all sync.WaitGroup
	var when []time.Time
	var failed error
	stop := make(chan struct{})
	late := make(chan time.Duration, 1)
	go func() { late <- lateness(stop) }()
	for _, s := range at {
		all.Go(func() {
			seen, err := s.until(ctx, name, want)
			mu.Lock()
			defer mu.Unlock()
			when = append(when, seen)
			failed = cmp.Or(failed, err)
		})
	}
	all.Wait()
	close(stop)
	r.late = max(r.late, <-late)
	start := began()
	for _, w := range when {
		r.delays = append(r.delays, max(0, w.Sub(start)))
	}
	return failed
}

// lateness returns how late timers are at most, until stop.
func lateness(stop <-chan struct{}) time.Duration {
	most := time.Duration(0)
	for {
		began := time.Now()
		select {
		case <-stop:
			return most
		case <-time.After(askPause):
			most = max(most, time.Since(began)-askPause)
		}
	}
}

// answer is what is wanted of an answer.
type answer bool

const (
	up   answer = true
	lost answer = false
)

// until asks a site for a name until the answer is as wanted, and returns when it was.
func (s *site) until(ctx context.Context, name string, want answer) (time.Time, error) {
	conn, err := net.Dial("udp", s.dns)
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		got, err := ask(conn, name+".example.test.")
		if err == nil && answer(got != sorryAddress) == want {
			return time.Now(), nil
		}
		if paused := pause(ctx, askPause); paused != nil {
			return time.Time{}, fmt.Errorf("%s at %s is %q (%v): %w", name, s.name, got, err, paused)
		}
	}
}

func ask(conn net.Conn, name string) (string, error) {
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	if err := conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return "", err
	}
	c := &dns.Conn{Conn: conn}
	if err := c.WriteMsg(m); err != nil {
		return "", err
	}
	reply, err := c.ReadMsg()
	if err != nil {
		return "", err
	}
	if len(reply.Answer) != 1 || reply.Id != m.Id {
		return "", fmt.Errorf("%s with %d records", dns.RcodeToString[reply.Rcode], len(reply.Answer))
	}
	a, ok := reply.Answer[0].(*dns.A)
	if !ok {
		return "", fmt.Errorf("not an address: %v", reply.Answer[0])
	}
	return a.A.String(), nil
}

// pause waits, or says why it did not.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
