package mep

import (
	"encoding/binary"
	"time"
)

// MaxViews is the most records in one set of views, over all its frames.
const MaxViews = 10_000

// What a ViewRecord is about.
const (
	ViewOfService uint8 = 1 // of another site than the one that tells
	ViewOfSite    uint8 = 2 // UP: there is a session with it
)

// ViewRecord is what a site sees itself of a service or site that is not its own, and of its own services that have a quorum.
// What it only heard from third sites is never in it, or a state would confirm itself in a circle.
//
// Layout after the length, big-endian:
//
//	0  1  kind: 1 service, 2 site; records of others are left
//	1  1  state, as in a ServiceRecord
//	   1  length of the name (1 to MaxName), then the name
//	      variable-length integer: milliseconds since the state was last confirmed, at most MaxAge
//	   1  families that the service does not work for although it is UP: bit 0 IPv4, bit 1 IPv6; may be left out: 0
//	      later versions may append fields, which are ignored
type ViewRecord struct {
	Kind  uint8
	State State
	Name  string
	Age   time.Duration
	// Without4 and Without6 say that the service does not work over that family.
	Without4, Without6 bool
}

func (r *ViewRecord) append(b []byte) []byte {
	b = appendText(append(b, r.Kind, uint8(r.State)), r.Name)
	b = binary.AppendUvarint(b, wireMilliseconds(r.Age))
	if r.Without4 || r.Without6 {
		b = append(b, without(r.Without4, r.Without6))
	}
	return b
}

// without is one bit for each family that a service does not work for.
func without(v4, v6 bool) (out uint8) {
	if v4 {
		out |= 1
	}
	if v6 {
		out |= 2
	}
	return out
}

func (r *ViewRecord) decode(c *cursor) {
	r.Kind = c.u8()
	if r.State = State(c.u8()); r.State > StateDraining {
		r.State = StateUnknown
	}
	r.Name = c.serviceName("")
	r.Age = readMilliseconds(c)
	if c.err == nil && c.at < len(c.b) {
		bits := c.u8()
		r.Without4, r.Without6 = bits&1 != 0, bits&2 != 0
	}
}
