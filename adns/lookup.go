package adns

import (
	"github.com/miekg/dns"
)

// kind is what a zone has for a name.
type kind uint8

const (
	kindNode     kind = iota // the name, or the wildcard that stands for it, is match.node
	kindNone                 // the name does not exist
	kindReferral             // match.node is a delegation at or above the name
	kindRedirect             // match.node has a DNAME and is above the name
)

// match is the result of a look-up in one zone.
type match struct {
	kind     kind
	node     *node
	key      key  // of node, unless it is a wildcard that was expanded
	wildcard bool // node is a wildcard that stands for the name
}

// lookup finds a name in the zone by RFC 1034 section 4.3.2 and RFC 4592: it walks down from the apex, so that a
// delegation or a DNAME hides all that is below it. k must be within the zone. A delegation does not hide itself from
// questions for DS, which are the parent's to answer (RFC 4035 section 3.1.4.1).
func (z *zone) lookup(k key, qtype uint16) match {
	// suffixes[i] is k without its first i labels.
	var suffixes [maxLabels + 1]key
	depth := 0
	for suffixes[0] = k; len(suffixes[depth]) > len(z.key); depth++ {
		suffixes[depth+1] = suffixes[depth].parent()
	}
	n := z.apex
	for i := depth; ; i-- {
		switch {
		case n.cut && !(i == 0 && qtype == dns.TypeDS):
			return match{kind: kindReferral, node: n, key: suffixes[i]}
		case i == 0:
			return match{kind: kindNode, node: n, key: k}
		case n.find(dns.TypeDNAME) != nil:
			return match{kind: kindRedirect, node: n, key: suffixes[i]}
		}
		next := z.nodes[suffixes[i-1]]
		if next == nil {
			// n is the closest encloser; only its own wildcard may stand in.
			if n.wildcard != nil {
				return match{kind: kindNode, node: n.wildcard, wildcard: true}
			}
			return match{kind: kindNone}
		}
		n = next
	}
}

// glue returns the addresses that this zone holds for the name servers of a delegation (RFC 9471: all of those below
// the cut must be sent, or TC).
func (z *zone) glue(cut *node) []dns.RR {
	var glue []dns.RR
	for _, rr := range cut.find(dns.TypeNS) {
		k, err := nameKey(rr.(*dns.NS).Ns)
		if err != nil || !k.within(z.key) {
			continue
		}
		if n := z.nodes[k]; n != nil {
			glue = append(glue, n.find(dns.TypeA)...)
			glue = append(glue, n.find(dns.TypeAAAA)...)
		}
	}
	return glue
}

// find returns the zone that answers for a name: the longest match on a label boundary, nil when there is none. The
// question for DS at a zone's apex belongs to the zone above, if that is served here too.
func (z *Zones) find(k key, qtype uint16) *zone {
	found := z.longest(k)
	if found != nil && qtype == dns.TypeDS && found.key == k && !k.isRoot() {
		if above := z.longest(k.parent()); above != nil {
			return above
		}
	}
	return found
}

// longest returns the zone with the most labels that k is within.
func (z *Zones) longest(k key) *zone {
	for extra := k.labels() - z.maxLabels; extra > 0; extra-- {
		k = k.parent()
	}
	for {
		if found := z.byKey[k]; found != nil {
			return found
		}
		if k.isRoot() {
			return nil
		}
		k = k.parent()
	}
}
