package adns

import (
	"net/netip"

	"fairlead/config"

	"github.com/gaissmai/bart"
)

// clients is a set of client addresses. A nil set contains everyone. It is immutable; safe for concurrent use.
type clients struct{ table bart.Lite }

// newClients returns the set of prefixes, nil when there are none.
func newClients(prefixes []netip.Prefix) *clients {
	if len(prefixes) == 0 {
		return nil
	}
	c := new(clients)
	for _, p := range prefixes {
		c.table.Insert(p.Masked())
	}
	return c
}

// contains reports whether an address, unmapped and without a zone, is in the set.
func (c *clients) contains(a netip.Addr) bool { return c == nil || c.table.Contains(a) }

// admit reads who is answered from each zone.
func (z *Zones) admit(zones []config.Zone) {
	for i := range zones {
		if len(zones[i].AllowQuery) == 0 {
			continue
		}
		if z.clients == nil {
			z.clients = make([]*clients, len(z.zones))
		}
		z.clients[i] = newClients(zones[i].AllowQuery)
	}
}

// admits reports whether a client is answered from a zone. It costs a nil check when no zone has a list.
func (z *Zones) admits(zone uint32, client netip.Addr) bool {
	return z.clients == nil || z.clients[zone].contains(client)
}
