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
	use              int // for Learned
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
					use: keeps.use, Prefix4: keeps.prefix4, Prefix6: keeps.prefix6, Timeout: time.Duration(keeps.timeout) * time.Second})
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

// SessionRule is what sessions with one id can be.
type SessionRule struct {
	Timeout          int64 // seconds, of the use with the longest
	Prefix4, Prefix6 int   // of the use with the longest
	Backup           bool  // clients that were sent to the backup
	services         map[uint64]struct{}
}

// OnBackup is in place of a service for clients that stay on the backup.
const OnBackup uint64 = 1

// SessionRules returns the rules by id.
func (p *Plan) SessionRules() map[uint32]*SessionRule {
	out := map[uint32]*SessionRule{}
	for i := range p.virtualServers {
		v := &p.virtualServers[i]
		for _, keeps := range []*persistence{&v.persistence, &v.spillover.stay} {
			if !keeps.on {
				continue
			}
			r := out[keeps.id]
			if r == nil {
				r = &SessionRule{services: map[uint64]struct{}{}}
				out[keeps.id] = r
			}
			r.Timeout = max(r.Timeout, keeps.timeout)
			r.Prefix4, r.Prefix6 = max(r.Prefix4, keeps.prefix4), max(r.Prefix6, keeps.prefix6)
			if keeps == &v.spillover.stay {
				r.Backup = true
				continue
			}
			for j := range v.members {
				r.services[p.services[v.members[j].service].Hash] = struct{}{}
			}
		}
	}
	return out
}

// Allows reports whether there can be such a session: the client is masked, and the service is a member. A dropped one (service
// 0) can be of any client.
func (r *SessionRule) Allows(client netip.Addr, service uint64) bool {
	bits := r.Prefix6
	if client = client.Unmap(); client.Is4() {
		bits = r.Prefix4
	}
	if masked, err := client.Prefix(bits); err != nil || masked.Addr() != client {
		return false
	}
	if service == dropped || service == OnBackup && r.Backup {
		return true
	}
	_, member := r.services[service]
	return member
}
