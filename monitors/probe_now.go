package monitors

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNoTarget says that nothing of a service is probed here.
var ErrNoTarget = errors.New("its monitors do not probe it here")

// ProbeNow has a service's targets probed without waiting for their intervals, and returns when all of them have a result. One
// whose last result is younger than fresh is not probed again. The results count as others do, and Options.Verdict was told of
// them before; the probes take their place among others under the same limits, and move none of those that come later. It fails with
// ErrNoTarget, or when ctx ends. Safe for concurrent use.
func (s *Scheduler) ProbeNow(ctx context.Context, service string, fresh time.Duration) error {
	s.mu.Lock()
	targets := s.byService[service]
	s.mu.Unlock()
	if len(targets) == 0 {
		return fmt.Errorf("probe service %q: %w", service, ErrNoTarget)
	}
	waiting := make([]<-chan struct{}, 0, len(targets))
	now := time.Now()
	for _, p := range targets {
		if told := p.await(now.Add(-fresh)); told != nil {
			waiting = append(waiting, told)
			s.lane.Hasten(p.job)
		}
	}
	for _, told := range waiting {
		select {
		case <-told:
		case <-ctx.Done():
			return fmt.Errorf("probe service %q: %w", service, context.Cause(ctx))
		}
	}
	return nil
}

// await returns what is closed when the next result was told; nil when the last one is not older than since.
func (p *probed) await(since time.Time) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired || p.at.After(since) {
		return nil
	}
	if p.told == nil {
		p.told = make(chan struct{})
	}
	return p.told
}

// tell wakes those who await a result. An ended target has none.
func (p *probed) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told != nil {
		close(p.told)
		p.told = nil
	}
}
