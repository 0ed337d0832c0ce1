package mep

import (
	"encoding/binary"
	"time"
)

// MaxOverrides is the most records in one set of overrides, over all its frames.
const MaxOverrides = 10_000

// OverrideRecord is one operator's order as a site knows it. Any site may tell of any order: the one with the greater
// revision, then the greater site, counts. Times are told as what is left and as ages, never as clocks.
//
// Layout after the length, big-endian:
//
//	0  1  kind: 1 service, 2 site, 3 virtual server's hold, 4 service group, 5 virtual server; records of others are left
//	1  1  action: 1 enable, 2 disable, 3 drain, 4 clear; of kind 3 5 hold, 6 release; records of others are left
//	2  8  revision: above every other that the site knew of
//	   1  length of the name (1 to MaxName), then the name
//	   1  length of the site's name that gave the order (1 to MaxName), then the name
//	   1  length of the owner (0 to MaxReason), then the owner
//	   1  length of the reason (0 to MaxReason), then the reason
//	      variable-length integer: milliseconds left when the set was taken, at most MaxAge; 0: without end
//	      variable-length integer: milliseconds since it was given, at most MaxAge
//	      later versions may append fields, which are ignored
type OverrideRecord struct {
	Kind, Action  uint8
	Revision      uint64
	Name          string
	Site          string // that gave it
	Owner, Reason string // for people
	Remaining     time.Duration
	Age           time.Duration
}

func (r *OverrideRecord) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(append(b, r.Kind, r.Action), r.Revision)
	b = appendText(appendText(b, r.Name), r.Site)
	b = appendText(b, printableText(r.Owner, MaxReason))
	b = appendText(b, printableText(r.Reason, MaxReason))
	left := wireMilliseconds(r.Remaining)
	if r.Remaining > 0 {
		left = max(left, 1) // 0 is without end
	}
	return binary.AppendUvarint(binary.AppendUvarint(b, left), wireMilliseconds(r.Age))
}

func (r *OverrideRecord) decode(c *cursor) {
	r.Kind, r.Action = c.u8(), c.u8()
	r.Revision = c.u64()
	r.Name = c.serviceName("")
	r.Site = c.name()
	r.Owner = c.text(MaxReason, "")
	r.Reason = c.text(MaxReason, "")
	r.Remaining, r.Age = readMilliseconds(c), readMilliseconds(c)
}

// valid reports whether the record can be sent.
func (r *OverrideRecord) valid() bool { return ValidServiceName(r.Name) && ValidName(r.Site) }

func wireMilliseconds(d time.Duration) uint64 {
	return uint64(min(max(d, 0), MaxAge) / time.Millisecond)
}

func readMilliseconds(c *cursor) time.Duration {
	return time.Duration(min(c.uvarint(), uint64(MaxAge/time.Millisecond))) * time.Millisecond
}
