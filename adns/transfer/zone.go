package transfer

import (
	"iter"
	"net/netip"
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
	// Zone returns a zone by its canonical name; false when there is none, or when it has no data at the moment.
	Zone(name string) (Zone, bool)
}

// Peer is who sent a request.
type Peer struct {
	Addr netip.Addr // unmapped, without a zone
	// Datagram says that there is no stream to send several messages on: UDP, and one exchange of HTTPS.
	Datagram bool
}

// rules are what the document says of one zone.
type rules struct {
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
	r := &rules{name: zoneName(z.Name), notify: targets(z.Transfer.Notify)}
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
