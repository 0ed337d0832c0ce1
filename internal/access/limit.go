package access

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxFailures is how many failures a second of one client address are told what is wrong; so many may come at once.
	maxFailures = 10
	// maxMeters is how many identities, or addresses, are metered each by itself. What comes beyond shares one meter.
	maxMeters = MaxTokens + 4096
	// sweepInterval is the least time between two searches for meters that are not needed any more.
	sweepInterval = time.Second

	meteredBits4, meteredBits6 = 32, 64 // of an address that a meter is for
)

// meters are token buckets by key.
type meters struct {
	limit rate.Limit
	burst int

	mu     sync.Mutex
	of     map[string]*rate.Limiter
	others *rate.Limiter
	swept  time.Time
}

func newMeters(perSecond float64, burst int) *meters {
	m := &meters{limit: rate.Limit(perSecond), burst: burst, of: map[string]*rate.Limiter{}}
	m.others = rate.NewLimiter(m.limit, m.burst)
	return m
}

// take reports whether one more of key is within the limit.
func (m *meters) take(key string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.of[key]
	if l == nil {
		if m.sweep(now); len(m.of) >= maxMeters {
			return m.others.AllowN(now, 1)
		}
		l = rate.NewLimiter(m.limit, m.burst)
		m.of[key] = l
	}
	return l.AllowN(now, 1)
}

// sweep forgets meters that are full again, which is what new ones are.
func (m *meters) sweep(now time.Time) {
	if len(m.of) < maxMeters || now.Sub(m.swept) < sweepInterval {
		return
	}
	m.swept = now
	for key, l := range m.of {
		if l.TokensAt(now) >= float64(m.burst) {
			delete(m.of, key)
		}
	}
}

// Throttle counts a request of somebody, and returns a *Refusal when there were too many. What comes from this machine without saying
// who it is is not counted: it could load the machine in other ways.
func (g *Guard) Throttle(i Identity, r *http.Request) error {
	if g.requests == nil || i.Kind == ByLoopback {
		return nil
	}
	key := string(i.Kind) + " " + i.TokenID + " " + i.Name
	if i.Kind == ByNothing {
		key = addressKey(remoteAddress(r))
	}
	if g.requests.take(key, time.Now()) {
		return nil
	}
	return &Refusal{Reason: TooManyRequests, Why: "more requests a second than api.rate_limit of the node file lets through"}
}

// Failed counts a request whose credentials did not do, and returns a *Refusal when its address had too many of them. Who has the
// right ones is never refused for what others at the same address send.
func (g *Guard) Failed(r *http.Request) error {
	if g.failures.take(addressKey(remoteAddress(r)), time.Now()) {
		return nil
	}
	return &Refusal{Reason: TooManyFailures, Why: "too many requests with wrong credentials, or without any, came from this address"}
}

// addressKey is the client that an address stands for: an IPv4 address, or a /64.
func addressKey(a netip.Addr) string {
	bits := meteredBits4
	if a.Is6() {
		bits = meteredBits6
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return p.String()
}
