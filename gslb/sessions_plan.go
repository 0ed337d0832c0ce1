package gslb

import (
	"net/netip"
	"time"
)

// SessionUse is what a virtual server keeps sessions for.
type SessionUse struct {
	VirtualServer    string
	Spillover        bool // clients that were sent to the backup; else those that keep their service
	ID               uint32
	Prefix4, Prefix6 int
	Timeout          time.Duration
}

// SessionUses lists who keeps sessions: virtual servers in the document's order, one with both persistence and lasting
// spillover twice. Several may have the same ID.
func (p *Plan) SessionUses() []SessionUse {
	var out []SessionUse
	for i := range p.virtualServers {
		v := &p.virtualServers[i]
		for _, keeps := range []*persistence{&v.persistence, &v.spillover.stay} {
			if keeps.on {
				out = append(out, SessionUse{VirtualServer: v.name, Spillover: keeps == &v.spillover.stay, ID: keeps.id,
					Prefix4: keeps.prefix4, Prefix6: keeps.prefix6, Timeout: time.Duration(keeps.timeout) * time.Second})
			}
		}
	}
	return out
}

// Client returns the network that stands for a client. The address must be valid.
func (u *SessionUse) Client(client netip.Addr) netip.Prefix {
	client = client.Unmap().WithZone("")
	bits := u.Prefix6
	if client.Is4() {
		bits = u.Prefix4
	}
	return netip.PrefixFrom(client, bits).Masked()
}

// Key returns the key of a client's session.
func (u *SessionUse) Key(client netip.Addr) SessionKey {
	return SessionKey{ID: u.ID, Client: u.Client(client).Addr()}
}
