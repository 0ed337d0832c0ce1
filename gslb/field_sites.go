package gslb

import "slices"

// fieldSites finds contenders by their site, where there are many. Immutable.
type fieldSites struct {
	first      []uint32 // by site, and one more: where its contenders begin
	contenders []uint16
	sums       []uint64 // of the weights of contenders before; one more than there are
}

func newFieldSites(contenders []contender, sites int) *fieldSites {
	s := &fieldSites{first: make([]uint32, sites+1), contenders: make([]uint16, len(contenders)), sums: make([]uint64, len(contenders)+1)}
	for i := range contenders {
		s.first[contenders[i].site+1]++
	}
	for i := range sites {
		s.first[i+1] += s.first[i]
	}
	next := slices.Clone(s.first)
	for i := range contenders {
		at := &next[contenders[i].site]
		s.contenders[*at] = uint16(i)
		*at++
	}
	for i, c := range s.contenders {
		s.sums[i+1] = s.sums[i] + uint64(contenders[c].weight)
	}
	return s
}

// at returns the contenders at a site.
func (s *fieldSites) at(site uint32) []uint16 { return s.contenders[s.first[site]:s.first[site+1]] }

// weight returns the weight of a site's contenders.
func (s *fieldSites) weight(site uint32) uint64 {
	return s.sums[s.first[site+1]] - s.sums[s.first[site]]
}

// pick returns a site's contender at a position below the site's weight.
func (s *fieldSites) pick(site uint32, at uint64) int {
	low, high := s.first[site], s.first[site+1]
	at += s.sums[low]
	i, found := slices.BinarySearch(s.sums[low+1:high+1], at)
	if found {
		i++
	}
	return int(s.contenders[int(low)+i])
}

// firstAt returns the first contender at a site, or none.
func (f *field) firstAt(site uint32) int {
	if f.sites != nil {
		if at := f.sites.at(site); len(at) > 0 {
			return int(at[0])
		}
		return none
	}
	for i := range f.contenders {
		if f.contenders[i].site == site {
			return i
		}
	}
	return none
}

// several reports whether a site has more than one contender.
func (f *field) several(site uint32) bool {
	if f.sites != nil {
		return len(f.sites.at(site)) > 1
	}
	n := 0
	for i := range f.contenders {
		if f.contenders[i].site == site {
			n++
		}
	}
	return n > 1
}
