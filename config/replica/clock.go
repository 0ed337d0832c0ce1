package replica

import (
	"fmt"
	"time"

	"go.uber.org/zap"
)

// compareClocks notes how far this site's clock is ahead of that of a site that was just heard. Without it a site with such a clock would only see
// that nobody takes what it writes.
func (e *Engine) compareClocks(p *peer, h *heads) {
	h.ahead = p.heard.Sub(h.clock)
	if h.ahead > MaxAhead && (p.heads == nil || p.heads.ahead <= MaxAhead) {
		e.log.Warn("config.clock.ahead", zap.String("site", p.site), zap.Duration("ahead", h.ahead), zap.String("then", "it takes nothing that is written here until its own clock is that far"))
	}
}

// clockSays tells people that a site takes no writes of this one, since the clock here is ahead; empty: it does.
func (h *heads) clockSays() string {
	if h.ahead <= MaxAhead {
		return ""
	}
	return fmt.Sprintf("the clock here is %v ahead of its own: it takes a write of this site when that is at most %v; set the clock here right", h.ahead.Round(time.Second), MaxAhead)
}
