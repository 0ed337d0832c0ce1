package monitors

import "go.uber.org/zap"

// logTurns tells what a verdict changed.
func (s *Scheduler) logTurns(v *Verdict) {
	switch {
	case !v.Changed:
	case v.State == Up:
		s.log.Info("monitor.up", turnFields(v)...)
	case v.State == Down:
		s.log.Warn("monitor.down", turnFields(v)...)
	default:
		s.log.Warn("monitor.unknown", turnFields(v)...)
	}
	if v.DrainingChanged && (v.Draining || v.State == Up) {
		s.log.Info("monitor.draining", append(turnFields(v), zap.Bool("draining", v.Draining))...)
	}
}

func turnFields(v *Verdict) []zap.Field {
	return []zap.Field{
		zap.String("service", v.Service),
		zap.String("monitor", v.Monitor),
		zap.Stringer("address", v.Address),
		zap.String("reason", v.Reason),
	}
}

// slows reports whether a target begins to be slower than max_response_time. It has ceased to be when it passed as often in a row as
// makes a DOWN target UP: one that is too slow now and then is told of once.
func (p *probed) slows(v *Verdict) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch began := v.Slow && !p.slow; {
	case began:
		p.slow = true
		return true
	case v.Successes >= max(p.target.Monitor.Rise, 1):
		p.slow = false
	}
	return false
}
