package gslb

import "slices"

// sieveAllowance bounds what the sieves of all virtual servers and policies of a snapshot take, in octets: as much as 500 of 1,024 members. Where
// nothing is left for one, all members are compared, with the same result.
const sieveAllowance = 256 << 20

// rowOctets is what the rows of one bit of a word of members take.
const rowOctets = 2 * octets * sieveMembers / 8

// sieveOctets is about what a sieve takes, by how many ones its members need.
func sieveOctets(ones []int) (out int64) {
	words := (len(ones) + sieveMembers - 1) / sieveMembers
	if len(ones) >= wideFrom {
		words = (words + wideWords - 1) / wideWords * wideWords
	}
	return int64(words * ones[len(ones)-1] * rowOctets)
}

// newDraws is how the contenders of a field draw. A sieve takes what room is left.
func (s *Snapshot) newDraws(v *virtualServer, f *field) *draws {
	w := newDraws(v, s.Plan.services, f.contenders, sieveAllowance-s.sieves)
	s.sieves += w.octets()
	return w
}

// octets is what the sieve takes.
func (w *draws) octets() int64 {
	if w == nil || w.sieve == nil {
		return 0
	}
	return w.sieve.octets
}

// sieves is what the sieves of a standing take, in octets.
func (st *standing) sieves() (out int64) {
	var seen []*draws
	count := func(w *draws) {
		if w.octets() > 0 && !slices.Contains(seen, w) {
			seen = append(seen, w)
			out += w.octets()
		}
	}
	for f := range Family(allFamilies) {
		count(st.field(f).draws)
		for i := range st.preferred {
			count(st.preferred[i][f].draws)
		}
	}
	return out
}
