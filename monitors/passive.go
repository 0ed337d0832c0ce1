package monitors

import (
	"fmt"
	"math"
	"time"

	"fairlead/config"
	"fairlead/monitors/probe"
)

// Two reports of the servers behind a service that are less than sameReport apart and tell the same are one: sites repeat what was
// measured once, and delays vary.
const sameReport = 200 * time.Millisecond

// noReport is the reason of a passive monitor that nobody told anything yet. It decides nothing.
const noReport = "no report yet: does not count"

func (p *probed) passive() bool { return p.target.Monitor.Type == config.MonitorPassive }

// Members takes in how many usable servers a load source counted behind a service at a time: the passive monitors of that service are
// judged by it. A source that tells nothing any more decides nothing: what it told last stays, with its age. Options.Verdict is
// called before Members returns. Reports older than the last one are passed over. Safe for concurrent use.
func (s *Scheduler) Members(service string, members float64, at time.Time) {
	s.mu.Lock()
	of := s.passive[service]
	s.mu.Unlock()
	for _, p := range of {
		s.report(p, members, at)
	}
}

// report judges one passive target.
func (s *Scheduler) report(p *probed, members float64, at time.Time) {
	p.telling.Lock()
	defer p.telling.Unlock()
	least := config.SectionOf(p.target.Monitor.Passive).MinMembers
	members = math.Trunc(members)
	r := probe.Result{OK: members >= float64(least), At: at, Values: []probe.Value{{Name: "members", Value: members}}}
	r.Reason = fmt.Sprintf("%.0f usable servers behind it, %d needed", members, least)
	if members == 1 {
		r.Reason = fmt.Sprintf("1 usable server behind it, %d needed", least)
	}
	if !p.news(&r) {
		return
	}
	if v, dependents, ok := p.judge(r); ok {
		s.hand(p, v, dependents)
	}
}

// news reports whether a report is another one than the last.
func (p *probed) news(r *probe.Result) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at.IsZero() {
		return true
	}
	apart := r.At.Sub(p.at)
	return apart >= sameReport || apart > 0 && r.Reason != p.last.Reason
}
