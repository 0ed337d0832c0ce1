package bench

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Limits of a set of queries.
const (
	MaxQueries = 1 << 22 // compiled queries
	minQueries = 1 << 16 // names are repeated up to here, so that options that differ by query differ enough
	maxCookie  = 40      // client and server cookie (RFC 7873, 4)
)

// Wire layout of what is appended to a question (RFC 6891, 6.1.2).
const (
	headerOctets  = 12
	payloadOctets = 1232 // UDP payload size that queries with EDNS offer
	optionECS     = 8    // RFC 7871
	optionCookie  = 10   // RFC 7873
)

// QueryOptions say which queries to compile.
type QueryOptions struct {
	Names []string // absolute or not, in presentation form
	Types []uint16 // each name is asked for each type

	EDNS    bool                          // an OPT record; implied by all below
	DO      bool                          // DNSSEC OK
	Cookie  []byte                        // COOKIE option data: client cookie, and server cookie if known
	Subnet  func(*rand.Rand) netip.Prefix // client subnet of a query; nil: none
	Recurse bool                          // RD
	Seed    uint64                        // of the order and of Subnet
}

// Queries are messages in wire form, in random order, to be sent one after another, over and over. They are read-only.
type Queries struct {
	wire  []byte
	index []queryAt
}

// queryAt is where a query lies in the wire slab.
type queryAt struct {
	offset   uint32
	length   uint16
	question uint16 // octets of the question section
}

// Len returns the number of queries in one round.
func (q *Queries) Len() int { return len(q.index) }

// message returns a query with an ID of 0.
func (q *Queries) message(i uint32) []byte {
	at := q.index[i]
	return q.wire[at.offset : at.offset+uint32(at.length)]
}

// question returns a query's question section.
func (q *Queries) question(i uint32) []byte {
	at := q.index[i]
	return q.wire[at.offset+headerOctets : at.offset+headerOctets+uint32(at.question)]
}

// NewQueries compiles queries. Each name and type appears equally often, in an order that Seed determines.
func NewQueries(o QueryOptions) (*Queries, error) {
	pairs := len(o.Names) * len(o.Types)
	switch {
	case pairs == 0:
		return nil, fmt.Errorf("no names or no types to ask for")
	case pairs > MaxQueries:
		return nil, fmt.Errorf("%d names with %d types are more than %d queries", len(o.Names), len(o.Types), MaxQueries)
	case len(o.Cookie) > maxCookie:
		return nil, fmt.Errorf("cookie of %d octets is longer than %d", len(o.Cookie), maxCookie)
	}
	names, err := packNames(o.Names)
	if err != nil {
		return nil, err
	}
	rounds := max(1, minQueries/pairs)
	random := rand.New(rand.NewPCG(o.Seed, 0))
	q := &Queries{index: make([]queryAt, 0, pairs*rounds)}
	for range rounds {
		for _, pair := range random.Perm(pairs) {
			q.add(&o, names[pair/len(o.Types)], o.Types[pair%len(o.Types)], random)
		}
	}
	if uint64(len(q.wire)) > math.MaxUint32 {
		return nil, fmt.Errorf("queries take %d octets: use fewer names", len(q.wire))
	}
	return q, nil
}

func packNames(texts []string) ([][]byte, error) {
	names := make([][]byte, len(texts))
	var buf [256]byte
	for i, text := range texts {
		n, err := dns.PackDomainName(dns.Fqdn(text), buf[:], 0, nil, false)
		if err != nil || text == "" {
			return nil, fmt.Errorf("name %q is not a domain name", text)
		}
		names[i] = []byte(string(buf[:n]))
	}
	return names, nil
}

// add appends one message (RFC 1035, 4.1).
func (q *Queries) add(o *QueryOptions, name []byte, qtype uint16, random *rand.Rand) {
	start := len(q.wire)
	var flags uint16
	if o.Recurse {
		flags = 1 << 8
	}
	var additional uint16
	if o.EDNS || o.DO || o.Cookie != nil || o.Subnet != nil {
		additional = 1
	}
	b := binary.BigEndian.AppendUint16(q.wire, 0)
	b = binary.BigEndian.AppendUint16(b, flags)
	b = append(b, 0, 1, 0, 0, 0, 0, 0, byte(additional))
	b = append(b, name...)
	b = binary.BigEndian.AppendUint16(b, qtype)
	b = binary.BigEndian.AppendUint16(b, dns.ClassINET)
	question := len(b) - start - headerOctets
	if additional == 1 {
		b = appendOPT(b, o, random)
	}
	q.wire = b
	q.index = append(q.index, queryAt{uint32(start), uint16(len(b) - start), uint16(question)})
}

// appendOPT appends an OPT record (RFC 6891, 6.1.2).
func appendOPT(b []byte, o *QueryOptions, random *rand.Rand) []byte {
	var do byte
	if o.DO {
		do = 0x80
	}
	b = append(b, 0, 0, byte(dns.TypeOPT), payloadOctets>>8, payloadOctets&0xff, 0, 0, do, 0, 0, 0)
	start := len(b)
	if o.Subnet != nil {
		b = appendSubnet(b, o.Subnet(random))
	}
	if o.Cookie != nil {
		b = append(b, 0, optionCookie, 0, byte(len(o.Cookie)))
		b = append(b, o.Cookie...)
	}
	binary.BigEndian.PutUint16(b[start-2:], uint16(len(b)-start))
	return b
}

// appendSubnet appends a client subnet option: family, source prefix length, scope 0, as many octets of the address as
// the prefix needs (RFC 7871, 6).
func appendSubnet(b []byte, p netip.Prefix) []byte {
	octets := (p.Bits() + 7) / 8
	family := byte(1)
	if p.Addr().Is6() {
		family = 2
	}
	b = append(b, 0, optionECS, 0, byte(4+octets), 0, family, byte(p.Bits()), 0)
	return append(b, p.Masked().Addr().AsSlice()[:octets]...)
}

// ParseTypes reads record types separated by commas: A,AAAA,TYPE65.
func ParseTypes(text string) ([]uint16, error) {
	var types []uint16
	for word := range strings.SplitSeq(text, ",") {
		word = strings.ToUpper(strings.TrimSpace(word))
		t, ok := dns.StringToType[word]
		if !ok {
			var rest string
			if n, _ := fmt.Sscanf(word+" ", "TYPE%d%s", &t, &rest); n != 1 {
				return nil, fmt.Errorf("type %q is not a record type", word)
			}
		}
		types = append(types, t)
	}
	return types, nil
}

// RandomSubnets returns a source of IPv4 prefixes of the given length within 1.0.0.0 to 223.255.255.255.
func RandomSubnets(bits int) func(*rand.Rand) netip.Prefix {
	return func(r *rand.Rand) netip.Prefix {
		v := r.Uint32N(223<<24) + 1<<24
		a := netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
		return netip.PrefixFrom(a, bits).Masked()
	}
}

// SubnetsOf returns a source that picks among prefixes, each as likely as the others.
func SubnetsOf(prefixes []netip.Prefix) func(*rand.Rand) netip.Prefix {
	return func(r *rand.Rand) netip.Prefix { return prefixes[r.IntN(len(prefixes))] }
}
