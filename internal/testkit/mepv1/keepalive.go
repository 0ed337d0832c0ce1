package mepv1

import (
	"encoding/binary"
	"time"
)

// keepAlive shows that a site is there, what it last heard and which document it serves, and lets both ends measure
// round trip and clock skew.
//
// Layout, big-endian:
//
//	 0  8  stamp: not 0, opaque to the receiver, which returns it as echo
//	 8  8  clock, nanoseconds since 1970-01-01 UTC, signed
//	16  8  echo: stamp of the last KeepAlive received; 0: none yet
//	24  8  held: nanoseconds between receiving that KeepAlive and sending this one
//	32  8  heard: sequence of the last frame received
//	40  4  silence: milliseconds since that frame was received
//	44 32  digest of the GSLB document in use; zeros, or an end before it: not told
//	76     later versions may append fields, which are ignored
type keepAlive struct {
	stamp   uint64
	clock   time.Time
	echo    uint64
	held    time.Duration
	heard   uint64
	silence time.Duration
	digest  [32]byte
}

func (k *keepAlive) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, k.stamp)
	b = binary.BigEndian.AppendUint64(b, uint64(k.clock.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, k.echo)
	b = binary.BigEndian.AppendUint64(b, uint64(max(k.held, 0)))
	b = binary.BigEndian.AppendUint64(b, k.heard)
	b = binary.BigEndian.AppendUint32(b, milliseconds32(k.silence))
	return append(b, k.digest[:]...)
}

func decodeKeepAlive(payload []byte) (keepAlive, error) {
	c := cursor{what: "KeepAlive", b: payload}
	var k keepAlive
	k.stamp = c.u64()
	k.clock = time.Unix(0, int64(c.u64()))
	k.echo = c.u64()
	k.held = time.Duration(c.u64())
	k.heard = c.u64()
	k.silence = time.Duration(c.u32()) * time.Millisecond
	if rest := len(c.b) - c.at; c.err == nil && rest >= len(k.digest) {
		copy(k.digest[:], c.take(len(k.digest)))
	}
	if c.err == nil && k.held < 0 {
		c.at = 24
		c.failf("held is above %d ns", int64(1<<63-1))
	}
	if c.err == nil && k.stamp == 0 {
		c.at = 0
		c.failf("stamp is 0")
	}
	return k, c.err
}

// milliseconds32 returns d in milliseconds, bounded to what 32 bits hold.
func milliseconds32(d time.Duration) uint32 {
	return uint32(min(max(d.Milliseconds(), 0), 1<<32-1))
}

// path is what KeepAlives tell about the way to a peer. Times are arguments, so it has no clock; it is not safe for
// concurrent use.
//
// The round trip is measured with the sender's own stamps and the receiver's own holding time, as in RFC 5905 section 8:
// no clock of one site is compared with one of the other. The skew is how far the peer's wall clock is ahead of ours if
// both directions take equally long, and is shown, not used to date anything.
type path struct {
	rtt, skew time.Duration
	known     bool // rtt and skew were measured

	stamp   uint64    // the peer's last stamp
	stampAt time.Time // when it was received
}

// received takes a KeepAlive that arrived at now, when our own stamp would have been stamp. Implausible samples (from a
// peer that returns what was never sent, or after a suspend) are dropped: at most limit counts as a round trip.
func (p *path) received(k keepAlive, now time.Time, stamp uint64, limit time.Duration) {
	p.stamp, p.stampAt = k.stamp, now
	if k.echo == 0 || k.echo > stamp || stamp-k.echo > uint64(limit+k.held) {
		return
	}
	rtt := time.Duration(stamp-k.echo) - k.held
	if rtt < 0 || rtt > limit {
		return
	}
	if p.known {
		p.rtt += (rtt - p.rtt) / 8 // as TCP smooths it (RFC 6298 section 2)
	} else {
		p.rtt = rtt
	}
	p.skew = k.clock.Add(rtt / 2).Sub(now)
	p.known = true
}

// echo fills in what the next KeepAlive returns.
func (p *path) echo(k *keepAlive, now time.Time) {
	if k.echo = p.stamp; k.echo != 0 {
		k.held = now.Sub(p.stampAt)
	}
}
