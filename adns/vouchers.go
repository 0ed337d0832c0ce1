package adns

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
)

const (
	// voucherPlaces is how many clients are remembered; two that fall on one place take turns.
	voucherPlaces = 1 << 13
	// voucherTime is how long, in seconds.
	voucherTime = 20
	// A place holds a hash in its upper half, below it the time in seconds, and the lowest bits the Voucher.
	voucherHash  = uint64(0xffffffff) << 32
	voucherShift = 2
	voucherMask  = 1<<voucherShift - 1
)

// Voucher is what a server saw lately of a client over UDP.
type Voucher uint8

// Vouchers.
const (
	VoucherNone    Voucher = iota // nothing
	VoucherProven                 // a cookie proved that it receives what is sent to its address
	VoucherLimited                // a response was not sent, or truncated: too many came from its network
)

// Vouchers remember of clients over UDP who was proven by a cookie and who was limited, while responses are limited. They are
// for those who would send something to clients. The memory is bounded. Safe for concurrent use.
type Vouchers struct {
	seed   [2]uint64
	places [voucherPlaces]atomic.Uint64
}

// NewVouchers returns Vouchers that know nobody.
func NewVouchers() *Vouchers { return &Vouchers{seed: [2]uint64{rand.Uint64(), rand.Uint64()}} }

// Of returns what was seen of a client within some seconds before a time (Unix seconds).
func (v *Vouchers) Of(client netip.Addr, unix int64) Voucher {
	if v == nil {
		return VoucherNone
	}
	h := v.hash(client)
	word := v.places[h%voucherPlaces].Load()
	if (word^h)&voucherHash != 0 || uint32(unix)<<voucherShift>>voucherShift-uint32(word)>>voucherShift > voucherTime {
		return VoucherNone
	}
	return Voucher(word & voucherMask)
}

// note writes what was seen at a time, unless that stands there already.
func (v *Vouchers) note(client netip.Addr, what Voucher, unix int64) {
	if v == nil {
		return
	}
	h := v.hash(client)
	word := h&voucherHash | uint64(uint32(unix)<<voucherShift) | uint64(what)
	if place := &v.places[h%voucherPlaces]; place.Load() != word {
		place.Store(word)
	}
}

// hash mixes an address with the secret seed.
func (v *Vouchers) hash(client netip.Addr) uint64 {
	b := client.As16()
	const odd = 0x9e3779b97f4a7c15
	h := (binary.BigEndian.Uint64(b[:]) ^ v.seed[0]) * odd
	h ^= h >> 29
	h = (h ^ binary.BigEndian.Uint64(b[8:]) ^ v.seed[1]) * odd
	h ^= h >> 32
	return h * odd
}
