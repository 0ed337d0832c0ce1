package transfer

import (
	"iter"
	"net/netip"
	"slices"
	"strings"

	"fairlead/config"

	"github.com/miekg/dns"
)

// Zone is one version of a zone as it is transferred. It never changes, and is safe for concurrent use.
type Zone interface {
	// Name is the zone's name in lower case, fully qualified.
	Name() string
	Serial() uint32
	SOA() *dns.SOA
	// Records yields all records but the SOA, each as often as it is called in the same order. They are only read.
	Records() iter.Seq[dns.RR]
}

// Source holds the zones that are served.
type Source interface {
	// Variants returns what a zone of the document looks like, by its index there: most zones the same to all clients, those
	// with balanced names perhaps not to all views. None: no client sees it.
	Variants(index int) []Variant
}

// Variant is a zone as some clients see it.
type Variant struct {
	Views []string // whose clients see it so; none: all those that no other zone or variant of its name is for
	Zone  Zone     // nil when it has no data at the moment
}

// Peer is who sent a request.
type Peer struct {
	Addr netip.Addr // unmapped, without a zone
	View string     // that the peer is in; empty: none
	// Datagram says that there is no stream to send several messages on: UDP, and one exchange of HTTPS.
	Datagram bool
}

// ZoneID returns the identity of a zone among those of a document: its canonical name, and the views it is for if it is not
// for all: "example.com.@inside+partner".
func ZoneID(z *config.Zone) string { return zoneID(zoneName(z.Name), z.Views) }

func zoneID(name string, views []string) string {
	if len(views) == 0 {
		return name
	}
	return name + "@" + strings.Join(slices.Sorted(slices.Values(views)), "+")
}

// rules are what the document says of one zone.
type rules struct {
	id     string
	name   string // canonical
	allow  []allowance
	notify []target
}

// allowance is one entry of transfer.allow: what is set must fit.
type allowance struct {
	prefix netip.Prefix
	key    string
}

// target is another server.
type target struct {
	address string // host:port
	key     string // canonical name; empty: nothing is signed
}

// newRules reads a valid zone of a document.
func newRules(z *config.Zone) *rules {
	r := &rules{id: ZoneID(z), name: zoneName(z.Name), notify: targets(z.Transfer.Notify)}
	for i := range z.Transfer.Allow {
		c := &z.Transfer.Allow[i]
		a := allowance{prefix: c.ClientPrefix()}
		if c.Key != "" {
			a.key = keyName(c.Key)
		}
		r.allow = append(r.allow, a)
	}
	return r
}

func targets(peers []config.TransferPeer) []target {
	var out []target
	for i := range peers {
		t := target{address: peers[i].Endpoint()}
		if peers[i].Key != "" {
			t.key = keyName(peers[i].Key)
		}
		out = append(out, t)
	}
	return out
}

// allows reports whether a client may transfer the zone. key is the name of the key that its request was signed with and
// verified by.
func (r *rules) allows(addr netip.Addr, key string) bool {
	for _, a := range r.allow {
		if (!a.prefix.IsValid() || a.prefix.Contains(addr)) && (a.key == "" || a.key == key) {
			return true
		}
	}
	return false
}

// zoneName is the form in which names of zones are compared.
func zoneName(name string) string { return strings.ToLower(dns.Fqdn(name)) }

// newer reports whether serial a is after b (RFC 1982). Of two serials that are exactly half the circle apart neither is.
func newer(a, b uint32) bool { return a != b && int32(a-b) > 0 }
