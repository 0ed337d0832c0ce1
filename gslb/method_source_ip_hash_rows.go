package gslb

import "math/bits"

// octets is how many values an octet has.
const octets = 1 << keyBits

// newNarrowBlock makes the rows of up to 64 members.
func newNarrowBlock(of sieveBlock, members []seat) narrowBlock {
	b := narrowBlock{sieveBlock: of, low: make([][2]uint64, octets/2*of.most), high: make([]uint64, octets*of.most), all: allOf(len(members))}
	for i, ones := range of.ones {
		for bit := range ones {
			b.need[bit] |= 1 << i
		}
	}
	eachRow(members, of.most, func(bit, v int, low, high uint64) {
		b.low[v/2*of.most+bit][v%2], b.high[v*of.most+bit] = low, high
	})
	return b
}

// newWideBlock makes the rows of up to 512 members.
func newWideBlock(of sieveBlock, members []seat) wideBlock {
	b := wideBlock{sieveBlock: of, low: make([][2][wideWords]uint64, octets/2*of.most), high: make([][wideWords]uint64, octets*of.most)}
	for i, ones := range of.ones {
		for bit := ones; bit <= firstBits; bit++ {
			b.done[bit][i/sieveMembers] |= 1 << (i % sieveMembers)
		}
	}
	for word := range b.all {
		some := members[min(word*sieveMembers, len(members)):min((word+1)*sieveMembers, len(members))]
		b.all[word] = allOf(len(some))
		eachRow(some, of.most, func(bit, v int, low, high uint64) {
			b.low[v/2*of.most+bit][v%2][word], b.high[v*of.most+bit][word] = low, high
		})
	}
	return b
}

// eachRow tells what each value of the client's two lowest octets makes of the first bits of up to 64 members' draws.
func eachRow(members []seat, ones int, tell func(bit, v int, low, high uint64)) {
	keys := transposedKeys(members)
	for bit := range ones {
		var rows [drawKeys][octets]uint64
		at := keyBits * (firstBits - 1 - bit)
		for v := 1; v < octets; v++ {
			for k := range rows {
				rows[k][v] = rows[k][v&(v-1)] ^ keys[k][at+bits.TrailingZeros(uint(v))]
			}
		}
		for v := range octets {
			tell(bit, v, rows[0][v], rows[1][v])
		}
	}
}

// transposedKeys returns words of each bit of the keys of up to 64 members.
func transposedKeys(members []seat) (out [drawKeys][64]uint64) {
	for k := range out {
		for i := range members {
			out[k][i] = members[i].keys[k]
		}
		transpose(&out[k])
	}
	return out
}

// transpose changes rows and columns of 64 words of 64 bits: bit j of word i becomes bit i of word j.
func transpose(m *[64]uint64) {
	mask := uint64(1)<<32 - 1
	for width := 32; width > 0; width /= 2 {
		for i := 0; i < 64; i = (i + width + 1) &^ width {
			t := (m[i]>>width ^ m[i+width]) & mask
			m[i+width] ^= t
			m[i] ^= t << width
		}
		mask ^= mask << (width / 2)
	}
}

// allOf is a word with so many members.
func allOf(count int) uint64 {
	if count >= sieveMembers {
		return ^uint64(0)
	}
	return 1<<max(count, 0) - 1
}
