package geodata

import "hash/maphash"

// leastSpotSlots is how many slots spotNumbers begins with: a power of two.
const leastSpotSlots = 1 << 10

// spotNumbers finds the number of a spot that was met before. It is a hash table that has a number and 32 bits of a hash for
// each spot, and looks for the spots themselves in the list that they are numbered by: of millions of different ones it
// needs a fifth of the memory of a map, and waits for memory less often. Who writes a file cannot foresee the hashes.
type spotNumbers struct {
	seed  maphash.Seed
	slots []uint64 // the hash above, the number below; 0: free. At least every second one is free
	used  int
}

func newSpotNumbers() spotNumbers {
	return spotNumbers{seed: maphash.MakeSeed(), slots: make([]uint64, leastSpotSlots)}
}

// find returns the number of a spot, or 0 and the entry to add it with.
func (x *spotNumbers) find(s *Spot, spots []Spot) (number uint32, entry uint64) {
	hash := maphash.Comparable(x.seed, *s) << 32
	mask := uint64(len(x.slots) - 1)
	for at := hash >> 32 & mask; x.slots[at] != 0; at = (at + 1) & mask {
		if n := uint32(x.slots[at]); x.slots[at]-uint64(n) == hash && spots[n] == *s {
			return n, 0
		}
	}
	return 0, hash
}

// add adds a spot that was not found.
func (x *spotNumbers) add(entry uint64, number uint32) {
	if x.used++; 2*x.used > len(x.slots) {
		before := x.slots
		x.slots = make([]uint64, 2*len(before))
		for _, e := range before {
			if e != 0 {
				x.put(e)
			}
		}
	}
	x.put(entry | uint64(number))
}

func (x *spotNumbers) put(entry uint64) {
	mask := uint64(len(x.slots) - 1)
	at := entry >> 32 & mask
	for x.slots[at] != 0 {
		at = (at + 1) & mask
	}
	x.slots[at] = entry
}
