package agree

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"
)

// topic is what is compared. The numbers are part of the protocol: append only. Those from topicServices on are the causes of
// a Decisions frame, in this order.
type topic uint8

const (
	topicDecisions topic = 0 // answers to the sample
	topicServices  topic = 1 // which services there are, and their states
	topicOverrides topic = 2
	topicLocations topic = 3 // location files
	topicLoads     topic = 4 // whether the loads of services are fresh, where they are compared
	topics               = 5
)

const (
	// fanBits is how many bits of a key one step of a search settles: a span has fan parts.
	fanBits = 6
	fan     = 1 << fanBits
	// maxDepth is how many bits of a key are settled at most.
	maxDepth = 60
)

// entry is a thing and its state, each as a number that is the same at all sites.
type entry struct {
	key, value uint64
	at         uint32 // where its texts are found
}

// table is the entries of a topic, ascending by key. It is immutable.
type table []entry

func (t table) sort() {
	slices.SortFunc(t, func(a, b entry) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value)) })
}

// span is the entries whose keys begin with the depth upper bits of prefix. Its other bits are 0.
type span struct {
	prefix uint64
	depth  uint8
}

// valid reports whether a span is one that can be asked for.
func (s span) valid() bool {
	return s.depth <= maxDepth && s.depth%fanBits == 0 && (s.depth == 0 && s.prefix == 0 || s.depth > 0 && s.prefix<<s.depth == 0)
}

// part returns one of the fan parts of a span.
func (s span) part(i int) span {
	return span{s.prefix | uint64(i)<<(64-fanBits-int(s.depth)), s.depth + fanBits}
}

// in returns the entries of a span.
func (t table) in(s span) table {
	from := sort.Search(len(t), func(i int) bool { return t[i].key >= s.prefix })
	if s.depth == 0 {
		return t
	}
	last := s.prefix | ^uint64(0)>>s.depth
	return t[from : from+sort.Search(len(t)-from, func(i int) bool { return t[from+i].key > last })]
}

// sum is the digest of some entries, and how many there are.
type sum struct {
	hash  uint64
	count uint32
}

func (t table) sum() (s sum) {
	for i := range t {
		s.hash += mix(t[i].key, t[i].value)
	}
	s.count = uint32(len(t))
	return s
}

// parts returns the sums of the parts of a span.
func (t table) parts(s span) (out [fan]sum) {
	in := t.in(s)
	for i := range in {
		p := &out[in[i].key<<s.depth>>(64-fanBits)]
		p.hash += mix(in[i].key, in[i].value)
		p.count++
	}
	return out
}

// mix is the digest of a key and a value. It is part of the protocol.
func mix(key, value uint64) uint64 {
	h := key ^ bits.RotateLeft64(value*0x9e3779b97f4a7c15+1, 32)
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}
