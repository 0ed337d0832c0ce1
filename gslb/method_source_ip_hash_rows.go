package gslb

import "math/bits"

// narrowRows makes the rows of up to 64 members.
func narrowRows(members []drawer) [][firstBits]uint64 {
	rows, keys := make([][firstBits]uint64, sieveParts*sieveValues), transposedKeys(members)
	for part := range sieveParts {
		for v := 1; v < sieveValues; v++ {
			bit := part%partsOfKey*partBits + bits.TrailingZeros(uint(v))
			for i := range firstBits {
				rows[part*sieveValues+v][i] = rows[part*sieveValues+v&(v-1)][i] ^ keys[part/partsOfKey][keyBits*(firstBits-1-i)+bit]
			}
		}
	}
	return rows
}

// wideRows makes the rows of up to 512 members.
func wideRows(members []drawer) [][firstBits][wideWords]uint64 {
	rows := make([][firstBits][wideWords]uint64, sieveParts*sieveValues)
	for word := 0; word*sieveMembers < len(members); word++ {
		narrow := narrowRows(members[word*sieveMembers : min((word+1)*sieveMembers, len(members))])
		for at := range narrow {
			for i, w := range narrow[at] {
				rows[at][i][word] = w
			}
		}
	}
	return rows
}

// transposedKeys returns words of each bit of the keys of up to 64 members.
func transposedKeys(members []drawer) (out [drawKeys][64]uint64) {
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
