package mep

import "time"

// pace keeps what a peer tells of services from taking more than a part of the time: a round begins when the one before has rested
// for paceShare-1 times what it took to take in, at most paceMost. What comes meanwhile waits in the connection. It belongs to the
// reading goroutine.
type pace struct {
	cost time.Duration // of the round in the making, or the last one
	free time.Time     // when the next one may begin
}

// begin waits until a frame may be taken in. It reports whether the session goes on.
func (p *pace) begin(s *session, first bool) bool {
	if !first {
		return true
	}
	p.cost = 0
	rest := time.Until(p.free)
	if rest <= 0 {
		return true
	}
	t := time.NewTimer(rest)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ending:
		return false
	}
}

// end notes that a frame was taken in that began at a time.
func (p *pace) end(began time.Time) {
	now := time.Now()
	if p.cost += now.Sub(began); p.cost >= paceFrom {
		p.free = now.Add(min((paceShare-1)*p.cost, paceMost))
	}
}
