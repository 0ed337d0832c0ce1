package gslb

import "math/bits"

// Weighted rendezvous hashing: each member draws a number from the client and its own name, the best draw wins. When a
// member leaves, only its clients move; a member's share is its weight's share.
//
// With u uniform in (0, 1), the winner is the member with the least -log2(u)/weight. All of it is integer arithmetic, so
// that every site, processor and release makes the same choice; floating point would not promise that. The golden
// vectors in hash_test.go hold it.
//
// The first eight bits of a draw are made so that they need not be made for one member after the other: each of them is the parity
// of some of 15 bits of the client, chosen by the member, and of one more bit of the client. So these bits of 64 members are the
// exclusive or of two words out of tables, by the client's bits (sieve). Any two members agree in a bit for exactly half of all
// clients, and the bits of some members are independent of each other as long as their choices are.

// logTable holds log2(1 + i/256) for i = 0…256 in units of 2^-32.
var logTable = makeLogTable()

// makeLogTable computes each logarithm bit by bit: squaring a number in [1, 2) gives the next bit of its logarithm.
func makeLogTable() (t [257]uint64) {
	for i := range 256 {
		x := uint64(256+i) << 55 // fixed point, one integer bit
		var y uint64
		for range 32 {
			hi, lo := bits.Mul64(x, x) // two integer bits, in hi's top
			y <<= 1
			if hi>>63 != 0 {
				y |= 1
				x = hi
			} else {
				x = hi<<1 | lo>>63
			}
		}
		t[i] = y
	}
	t[256] = 1 << 32
	return t
}

// negLog2 is -log2((h+1)/2^64) in units of 2^-32, between 0 and 64·2^32.
func negLog2(h uint64) uint64 {
	if h == ^uint64(0) {
		return 0
	}
	zeros := bits.LeadingZeros64(h + 1)
	mantissa := (h + 1) << (zeros & 63) << 1 // without the leading 1
	i, rest := mantissa>>56, mantissa<<8>>32
	return uint64(zeros+1)<<32 - logTable[i] - (logTable[i+1]-logTable[i])*rest>>32
}

const (
	drawMix1 = 0xff51afd7ed558ccd
	drawMix2 = 0xc4ceb9fe1a85ec53
)

// mix is the finalizer of MurmurHash3.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= drawMix1
	h ^= h >> 33
	h *= drawMix2
	h ^= h >> 33
	return h
}

// draw mixes the client's and the member's hashes.
func draw(client, seed uint64) uint64 { return mix(client ^ bits.RotateLeft64(seed, 32)) }

// drawer is a member that draws.
type drawer struct {
	seed uint64
	keys keys
}

// keys choose the bits of the client that the first bits of a member's draw are parities of.
type keys [drawKeys]uint64

const (
	// drawKeys is how many words of a member choose among the client's bits. Octet i of each word is for one bit of a draw, firstFrom +
	// i. The first word chooses among the bits of the client's lowest octet, the second among those of the next one. In place
	// of the lowest bit of all, which all members choose, each bit of a draw has one of its own.
	drawKeys  = 2
	keyBits   = 8
	keyMask   = 1<<keyBits - 1
	firstBits = 8
	firstFrom = 64 - firstBits
	firstMask = (1<<firstBits - 1) << firstFrom
	// eachFirst is the lowest bit of each octet. Multiplied by gatherFirst, these are the first bits.
	eachFirst   = 0x0101010101010101
	gatherFirst = 0x0102040810204080
)

func newDrawer(seed uint64) drawer {
	d := drawer{seed: seed}
	for i := range d.keys {
		d.keys[i] = mix(seed + uint64(i+1)*golden)
	}
	d.keys[0] |= eachFirst
	return d
}

// draw is what a member draws for a client.
func (m *drawer) draw(client uint64) uint64 {
	return m.keys.first(viewOf(client), client) | draw(client, m.seed)>>firstBits
}

// view is the bits of a client that keys choose among, for all first bits.
type view [drawKeys]uint64

func viewOf(client uint64) view {
	return view{client & (keyMask - 1) * eachFirst, client >> keyBits & keyMask * eachFirst}
}

// first is the first bits of a draw: parities of what the keys choose.
func (k *keys) first(of view, client uint64) uint64 {
	v := of[0]&k[0] ^ of[1]&k[1]
	v ^= v >> 4
	v ^= v >> 2
	v ^= v >> 1
	return (v&eachFirst*gatherFirst ^ client) & firstMask
}

// halfMix is mix's first step, which can be made for the client and the member apart.
func halfMix(h uint64) uint64 { return h ^ h>>33 }

// nearlyDraw is mix without its first step, and without its last, h ^ h>>33.
func nearlyDraw(h uint64) uint64 {
	h *= drawMix1
	h ^= h >> 33
	return h * drawMix2
}

// lastMix is mix's last step.
func lastMix(h uint64) uint64 { return h ^ h>>33 }
