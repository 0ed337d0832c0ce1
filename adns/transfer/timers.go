package transfer

import (
	"time"

	"github.com/miekg/dns"
)

// Bounds of a SOA's timers. What a primary says counts within them: a refresh of 0 does not make a loop, and one of 136
// years does not stop updates for good.
const (
	minRefresh = 5 * time.Second
	maxRefresh = 28 * 24 * time.Hour
	minRetry   = 2 * time.Second
	maxRetry   = 14 * 24 * time.Hour
	maxExpire  = (1<<31 - 1) * time.Second

	// firstRetry doubles up to lastRetry while a zone was never had: there is no SOA to say how often.
	firstRetry   = time.Second
	lastRetry    = 5 * time.Minute
	maxDoublings = 16
	// timerJitter is the share by which waiting times are shortened, at most.
	timerJitter = 0.1
)

// timers are how often a primary is asked, and how long its data holds without an answer (RFC 1034 section 4.3.5).
type timers struct{ refresh, retry, expire time.Duration }

func timersOf(soa *dns.SOA) timers {
	t := timers{
		refresh: clamp(soa.Refresh, minRefresh, maxRefresh),
		retry:   clamp(soa.Retry, minRetry, maxRetry),
	}
	t.expire = clamp(soa.Expire, t.refresh+t.retry, maxExpire)
	return t
}

func clamp(s uint32, low, high time.Duration) time.Duration {
	return min(max(time.Duration(s)*time.Second, low), high)
}

// early shortens a time by a random share, so that zones with the same timers are not asked for in step.
func early(d time.Duration) time.Duration {
	return jittered(d-time.Duration(float64(d)*timerJitter/2), timerJitter/2)
}
