package gslb

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/cespare/xxhash/v2"

	"fairlead/config"
)

// Limits of a Sample.
const (
	// MaxSampleNames is how many names a sample has, each with SampleClients questions.
	MaxSampleNames = 256
	SampleClients  = 4
	// sampleClients is how many clients of one family the questions are drawn from.
	sampleClients = 64
	// sampleBits4 and sampleBits6 are how much a resolver tells of a client that no longer prefix is written for.
	sampleBits4, sampleBits6 = 24, 56
)

// Sample is questions by which sites find out whether they would answer alike. It follows from the document alone: sites that
// have the same document have the same sample, in the same order. It belongs to one Plan, is immutable, and its memory is
// bounded by MaxSampleNames.
type Sample struct {
	plan      *Plan
	questions []Question
}

// Question is one of a Sample.
type Question struct {
	// Key identifies the question: it is the same at all sites.
	Key    uint64
	Query  Query
	Client netip.Prefix // that asks: Query has its first address
}

// NewSample chooses the questions for a document and the Plan that it was compiled to: of many names and clients those whose
// hashes are the least, which are spread evenly.
func NewSample(doc *config.Document, plan *Plan) *Sample {
	type hashed struct {
		hash   uint64
		domain DomainIndex
	}
	names := make([]hashed, len(plan.domains))
	for i := range plan.domains {
		names[i] = hashed{xxhash.Sum64String(plan.domains[i].Name), DomainIndex(i)}
	}
	slices.SortFunc(names, func(a, b hashed) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(plan.domains[a.domain].Name, plan.domains[b.domain].Name), cmp.Compare(a.domain, b.domain))
	})
	names = names[:min(len(names), MaxSampleNames)]
	clients := clientsOf(doc)
	s := &Sample{plan: plan, questions: make([]Question, 0, len(names)*SampleClients)}
	for _, n := range names {
		for slot := range uint64(SampleClients) {
			// Both families of clients ask for both families of addresses.
			pool, family := &clients[slot/2], [2]Family{IPv4, IPv6}[slot%2]
			key := sampleMix(n.hash, slot)
			client := (*pool)[key%uint64(len(*pool))]
			s.questions = append(s.questions, Question{Key: sampleMix(key, clientHash(client.Addr())), Client: client,
				Query: Query{Domain: n.domain, Family: family, LDNS: client.Addr(), Subnet: told4or6(client)}})
		}
	}
	return s
}

// Questions returns how many questions there are.
func (s *Sample) Questions() int { return len(s.questions) }

// Question returns one.
func (s *Sample) Question(i int) *Question { return &s.questions[i] }

// told4or6 is the client subnet that a resolver tells of a prefix.
func told4or6(p netip.Prefix) netip.Prefix {
	bits := sampleBits6
	if p.Addr().Is4() {
		bits = sampleBits4
	}
	return netip.PrefixFrom(p.Addr(), max(bits, p.Bits())).Masked()
}

// clientsOf returns the clients of each family that questions come from: those that the document says something of, and some
// of all over the world, for location files.
func clientsOf(doc *config.Document) (out [2][]netip.Prefix) {
	add := func(p netip.Prefix) {
		if p = p.Masked(); p.Addr().Is4() {
			out[0] = append(out[0], p)
		} else if p.IsValid() {
			out[1] = append(out[1], p)
		}
	}
	for i := range doc.Locations {
		add(doc.Locations[i].Prefix)
	}
	for i := range doc.VirtualServers {
		for j := range doc.VirtualServers[i].Policies {
			for _, p := range doc.VirtualServers[i].Policies[j].Clients {
				add(p)
			}
		}
	}
	for i := range out {
		out[i] = leastHashed(out[i], sampleClients*3/4)
	}
	for _, text := range worldwide() {
		add(netip.MustParsePrefix(text))
	}
	for i := range out {
		out[i] = leastHashed(out[i], sampleClients)
	}
	return out
}

// leastHashed returns the prefixes whose hashes are the least, each once, in the order of these.
func leastHashed(all []netip.Prefix, most int) []netip.Prefix {
	type hashed struct {
		hash uint64
		p    netip.Prefix
	}
	list := make([]hashed, len(all))
	for i, p := range all {
		list[i] = hashed{sampleMix(clientHash(p.Addr()), uint64(p.Bits())), p}
	}
	slices.SortFunc(list, func(a, b hashed) int { return cmp.Or(cmp.Compare(a.hash, b.hash), a.p.Compare(b.p)) })
	list = slices.Compact(list)
	out := make([]netip.Prefix, 0, most)
	for _, h := range list[:min(len(list), most)] {
		out = append(out, h.p)
	}
	return out
}

// worldwide is addresses in use in all parts of the world. They are part of the protocol: sites compare answers to them.
func worldwide() []string {
	return []string{
		"1.0.16.0/24", "5.9.0.0/24", "24.48.0.0/24", "41.0.0.0/24", "58.96.0.0/24", "62.4.0.0/24", "80.80.0.0/24", "91.192.0.0/24",
		"103.4.0.0/24", "118.0.0.0/24", "133.11.0.0/24", "151.101.0.0/24", "177.8.0.0/24", "190.2.0.0/24", "196.25.0.0/24", "200.1.0.0/24",
		"2001:200::/48", "2001:4200::/48", "2001:67c::/48", "2400:cb00::/48", "2401:da00::/48", "2600:1f00::/48", "2604:a880::/48",
		"2620:fe::/48", "2800:3f0::/48", "2804:14d::/48", "2a00:1450::/48", "2a02:26f0::/48", "2a0c:5a80::/48", "2c0f:fb50::/48",
	}
}

// sampleMix mixes two numbers into one.
func sampleMix(a, b uint64) uint64 { return draw(a, b*drawMix2+1) }
