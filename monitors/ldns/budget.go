package ldns

import (
	"hash/maphash"
	"net/netip"
	"time"
)

const (
	// burstShare is the part of a second's packets that may leave at once.
	burstShare = 20
	// countedNetworks is how many networks have a budget of their own. Two that fall on one place share it.
	countedNetworks = 4096
	// networkBurst is how many resolvers of one network are measured at once when none was for a while.
	networkBurst = 4
	// networkBits4 and networkBits6 are what a network is.
	networkBits4, networkBits6 = 24, 56
)

// bucket is a budget in tokens. The zero bucket is full.
type bucket struct {
	tokens float64
	at     time.Time
}

// fill adds what has come since the last time.
func (b *bucket) fill(rate, most float64, now time.Time) {
	if b.at.IsZero() {
		b.tokens = most
	} else {
		b.tokens = min(b.tokens+rate*max(now.Sub(b.at), 0).Seconds(), most)
	}
	b.at = now
}

// lacks fills the bucket and returns how long it is to a token; 0: there is one.
func (b *bucket) lacks(rate int, now time.Time) time.Duration {
	if rate < 1 {
		return idle
	}
	b.fill(float64(rate), 1+float64(rate)/burstShare, now)
	if b.tokens >= 1 {
		return 0
	}
	return time.Duration((1-b.tokens)/float64(rate)*float64(time.Second)) + 1
}

// networks are budgets of resolvers by their networks.
type networks struct {
	seed maphash.Seed // secret: nobody aims at another network's place
	at   [countedNetworks]bucket
}

// take takes a resolver from its network's budget, if there is one left.
func (n *networks) take(ldns netip.Addr, rate int, now time.Time) bool {
	bits := networkBits4
	if ldns.Is6() {
		bits = networkBits6
	}
	network, err := ldns.Prefix(bits)
	if err != nil {
		return false
	}
	b := &n.at[maphash.Comparable(n.seed, network)%countedNetworks]
	rate = max(rate, 1)
	b.fill(float64(rate), float64(max(rate, networkBurst)), now)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
