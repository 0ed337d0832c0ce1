package mepv1

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

// ViewRecord is what a site sees itself of a service or site that is not its own. What it only heard from third sites is
// never in it, or a state would confirm itself in a circle.
//
// Layout after the length, big-endian:
//
//	0  1  kind: 1 service, 2 site; records of others are left
//	1  1  state, as in a ServiceRecord
//	   1  length of the name (1 to MaxName), then the name
//	      variable-length integer: milliseconds since the state was last confirmed, at most MaxAge
//	      later versions may append fields, which are ignored
type ViewRecord struct {
	Kind  uint8
	State State
	Name  string
	Age   time.Duration
}

func (r *ViewRecord) append(b []byte) []byte {
	b = appendText(append(b, r.Kind, uint8(r.State)), r.Name)
	return binary.AppendUvarint(b, wireMilliseconds(r.Age))
}

func (r *ViewRecord) decode(c *cursor) {
	r.Kind = c.u8()
	if r.State = State(c.u8()); r.State > StateDraining {
		r.State = StateUnknown
	}
	r.Name = c.serviceName("")
	r.Age = readMilliseconds(c)
}
