package sketch

import (
	"net/netip"

	"fairlead/gslb"
)

// key is a kind of query in 24 octets.
type key struct {
	name     uint32
	listener uint16
	family   gslb.Family
	kinds    uint8 // of the two addresses: bit 0 and 1 ldns is there and IPv6, bit 2 and 3 the same of subnet
	bits     uint8 // of subnet
	from     [Bits6 / 8]byte
	of       [Bits6 / 8]byte
}

const (
	hasLDNS = 1 << iota
	ldns6
	hasSubnet
	subnet6
)

// keyOf returns a sample's key. ok is false when it has a name or a listener more than there is room for.
func (s *Sketch) keyOf(sample *Sample) (k key, ok bool) {
	if k.name, ok = s.names.number(sample.Name); !ok {
		return k, false
	}
	listener, ok := s.listeners.number(sample.Listener)
	if !ok {
		return k, false
	}
	k.listener, k.family = uint16(listener), sample.Family
	if a := sample.LDNS.Unmap(); a.IsValid() {
		k.kinds |= hasLDNS
		if a.Is6() {
			k.kinds |= ldns6
		}
		k.from = head(netip.PrefixFrom(a, bitsOf(a)))
	}
	if sample.Subnet.IsValid() {
		a := sample.Subnet.Addr()
		p := netip.PrefixFrom(a, min(sample.Subnet.Bits(), bitsOf(a)))
		k.kinds |= hasSubnet
		if a.Is6() {
			k.kinds |= subnet6
		}
		k.of, k.bits = head(p), uint8(p.Bits())
	}
	return k, true
}

func bitsOf(a netip.Addr) int {
	if a.Is4() {
		return Bits4
	}
	return Bits6
}

// head returns the first octets of a prefix.
func head(p netip.Prefix) (out [Bits6 / 8]byte) {
	p = p.Masked()
	if a := p.Addr(); a.Is4() {
		octets := a.As4()
		copy(out[:], octets[:Bits4/8])
	} else {
		octets := a.As16()
		copy(out[:], octets[:])
	}
	return out
}

func unhead(octets [Bits6 / 8]byte, six bool, bits int) netip.Prefix {
	if six {
		var a [16]byte
		copy(a[:], octets[:])
		return netip.PrefixFrom(netip.AddrFrom16(a), bits)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{octets[0], octets[1], octets[2]}), bits)
}

func (k *key) ldns() netip.Prefix {
	switch {
	case k.kinds&hasLDNS == 0:
		return netip.Prefix{}
	case k.kinds&ldns6 != 0:
		return unhead(k.from, true, Bits6)
	}
	return unhead(k.from, false, Bits4)
}

func (k *key) subnet() netip.Prefix {
	if k.kinds&hasSubnet == 0 {
		return netip.Prefix{}
	}
	return unhead(k.of, k.kinds&subnet6 != 0, int(k.bits))
}

// interned numbers values, and keeps them: those that come from a document are few.
type interned[T comparable] struct {
	all     []T
	numbers map[T]uint32
	max     int
}

func (n *interned[T]) number(v T) (uint32, bool) {
	if i, ok := n.numbers[v]; ok {
		return i, true
	}
	if len(n.all) >= n.max {
		return 0, false
	}
	if n.numbers == nil {
		n.numbers = map[T]uint32{}
	}
	n.numbers[v] = uint32(len(n.all))
	n.all = append(n.all, v)
	return uint32(len(n.all) - 1), true
}

// entry is a key's count, of which err was there before the key came.
type entry struct {
	key        key
	count, err float64
	at         uint32 // in the heap
}

// table is keys by count: a heap whose root is the least.
type table struct {
	entries []entry
	heap    []uint32 // indexes of entries
	index   map[key]uint32
}

func (t *table) insert(k key, count float64) {
	i := uint32(len(t.entries))
	t.entries = append(t.entries, entry{key: k, count: count, at: uint32(len(t.heap))})
	t.heap = append(t.heap, i)
	t.index[k] = i
	t.up(int(t.entries[i].at))
}

func (t *table) grow(i uint32, by float64) {
	t.entries[i].count += by
	t.down(int(t.entries[i].at))
}

// replaceLeast puts a key into the place of the one with the least count, and returns that.
func (t *table) replaceLeast(k key, count float64) (old entry) {
	i := t.heap[0]
	e := &t.entries[i]
	old = *e
	delete(t.index, old.key)
	t.index[k] = i
	e.key, e.err, e.count = k, old.count, old.count+count
	t.down(0)
	return old
}

func (t *table) up(at int) {
	for at > 0 {
		above := (at - 1) / 2
		if !t.less(at, above) {
			return
		}
		t.swap(at, above)
		at = above
	}
}

func (t *table) down(at int) {
	for {
		least := at
		for below := 2*at + 1; below <= 2*at+2 && below < len(t.heap); below++ {
			if t.less(below, least) {
				least = below
			}
		}
		if least == at {
			return
		}
		t.swap(at, least)
		at = least
	}
}

func (t *table) less(a, b int) bool { return t.entries[t.heap[a]].count < t.entries[t.heap[b]].count }

func (t *table) swap(a, b int) {
	t.heap[a], t.heap[b] = t.heap[b], t.heap[a]
	t.entries[t.heap[a]].at, t.entries[t.heap[b]].at = uint32(a), uint32(b)
}
