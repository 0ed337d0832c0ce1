package gslb

import "net/netip"

// bitTrie is a binary trie over prefixes, used while a Plan is compiled to cut overlapping prefixes into disjoint
// regions. The zero bitTrie is empty.
type bitTrie struct {
	root bitNode
}

type bitNode struct {
	child [2]*bitNode
	value uint32 // 0: none of its own
}

// insert sets the value of a prefix. A later value for the same prefix replaces an earlier one.
func (t *bitTrie) insert(p netip.Prefix, value uint32) {
	n := &t.root
	bytes := p.Addr().AsSlice()
	for i := range p.Bits() {
		b := bytes[i/8] >> (7 - i%8) & 1
		if n.child[b] == nil {
			n.child[b] = &bitNode{}
		}
		n = n.child[b]
	}
	n.value = value
}

// cover calls emit with disjoint prefixes that together are all, each with the value of the longest inserted prefix
// that holds it (0 when there is none). An empty trie emits nothing.
func (t *bitTrie) cover(all netip.Prefix, emit func(netip.Prefix, uint32)) {
	if t.root == (bitNode{}) {
		return
	}
	coverNode(&t.root, all, 0, emit)
}

func coverNode(n *bitNode, p netip.Prefix, inherited uint32, emit func(netip.Prefix, uint32)) {
	value := inherited
	if n != nil && n.value != 0 {
		value = n.value
	}
	if n == nil || n.child == [2]*bitNode{} {
		emit(p, value)
		return
	}
	low, high := halves(p)
	coverNode(n.child[0], low, value, emit)
	coverNode(n.child[1], high, value, emit)
}

func halves(p netip.Prefix) (low, high netip.Prefix) {
	bits := p.Bits()
	bytes := p.Addr().AsSlice()
	low = netip.PrefixFrom(p.Addr(), bits+1)
	bytes[bits/8] |= 0x80 >> (bits % 8)
	a, _ := netip.AddrFromSlice(bytes)
	return low, netip.PrefixFrom(a, bits+1)
}
