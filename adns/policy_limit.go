package adns

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"fairlead/adns/rrl"

	"github.com/miekg/dns"
	"go.uber.org/zap"
)

const (
	// limitQuiet without a limited response ends a time of limiting, in the log.
	limitQuiet = time.Minute
	limitCheck = 10 * time.Second
)

// account is what a response is counted under, besides its client.
type account struct {
	class  rrl.Class
	detail uint64
}

// answerFrom is where the answer for the first name of an alias chain comes from.
type answerFrom struct {
	zone   uint32
	detail uint64 // match.detail
}

// detail tells answers apart: by where they come from and their type. The name of the question is not in it, so that all
// names that a wildcard stands for are one.
func (m *match) detail(zone uint32, qtype uint16) uint64 {
	if m.extra != nil && m.extra.balanced {
		return 1<<63 | uint64(m.extra.domain)<<16 | uint64(qtype)
	}
	const spread = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio: zones are far apart
	return (uint64(zone)*spread + uint64(m.node)<<16 + uint64(qtype)) &^ (1 << 63)
}

// accountOf files an answer. from means nothing for an error.
func accountOf(rcode int, answers, authoritative bool, from answerFrom) account {
	switch {
	case rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError:
		return account{class: rrl.Error}
	case answers:
		return account{rrl.Answer, from.detail}
	case authoritative:
		return account{rrl.Negative, uint64(from.zone)}
	}
	return account{rrl.Referral, from.detail}
}

// limit counts a response and says what becomes of it. Clients that are known to receive what is sent to them have no
// limit. now is in nanoseconds.
func (p *policy) limit(c *client, st standing, a account, now int64) rrl.Action {
	if p.limiter == nil || st.proven(c.transport) {
		if p.vouchers != nil && c.transport == UDP && st.status.Valid() {
			p.vouchers.note(c.addr, VoucherProven, p.made+now/int64(time.Second))
		}
		return rrl.Send
	}
	action := p.limiter.Account(c.addr, a.class, a.detail, now)
	if action != rrl.Send {
		p.limiting.note(c.addr, a.class, action, now)
		p.vouchers.note(c.addr, VoucherLimited, p.made+now/int64(time.Second))
	}
	return action
}

// slipRcode is the response code of a limited response that is sent all the same. A client that speaks cookies learns one
// and comes back with it; to others TC is set, and they come back over TCP.
func slipRcode(st standing, rcode int) (slipped int, truncated bool) {
	if st.spoke {
		return dns.RcodeBadCookie, false
	}
	return rcode, true
}

// limiting notes what was limited, for the log and the counters. The zero limiting is ready. Safe for concurrent use.
type limiting struct {
	slipped, dropped atomic.Uint64
	last             atomic.Int64 // when a response was limited, in nanoseconds; 0: never
	began            atomic.Pointer[limitStart]
}

// limitStart is the first limited response of a time of limiting.
type limitStart struct {
	network          netip.Prefix
	class            rrl.Class
	slipped, dropped uint64
	logged           bool // watchLimits alone writes it
}

// note counts a limited response.
func (l *limiting) note(client netip.Addr, class rrl.Class, action rrl.Action, now int64) {
	if l.began.Load() == nil {
		l.began.CompareAndSwap(nil, &limitStart{network: rrl.Prefix(client), class: class,
			slipped: l.slipped.Load(), dropped: l.dropped.Load()})
	}
	if action == rrl.Slip {
		l.slipped.Add(1)
	} else {
		l.dropped.Add(1)
	}
	if now-l.last.Load() > int64(limitCheck)/10 {
		l.last.Store(now)
	}
}

// watchLimits logs when limiting begins and ends, at most once each per limitQuiet, until ctx ends.
func (s *Server) watchLimits(ctx context.Context) error {
	if s.policy.limiter == nil {
		return nil
	}
	tick := time.NewTicker(limitCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.policy.limiting.log(s.log, int64(s.now().Sub(s.made)))
		}
	}
}

// log writes what is new.
func (l *limiting) log(log *zap.Logger, now int64) {
	began := l.began.Load()
	if began == nil {
		return
	}
	if !began.logged {
		began.logged = true
		log.Warn("dns.rrl.limiting", zap.Bool("limiting", true), zap.Stringer("network", began.network),
			zap.Stringer("class", began.class))
	}
	if now-l.last.Load() < int64(limitQuiet) {
		return
	}
	l.began.Store(nil)
	log.Info("dns.rrl.limiting", zap.Bool("limiting", false), zap.Uint64("truncated", l.slipped.Load()-began.slipped),
		zap.Uint64("dropped", l.dropped.Load()-began.dropped))
}
