package mep

import (
	"encoding/binary"
	"time"

	"github.com/cespare/xxhash/v2"
)

// changed says which parts of a record a change tells.
//
// Layout of a change:
//
//	varint  gap: how many records lie between this one and the one before it in the section
//	varint  changed, a bit each
//	        for each bit that is set, lowest bit first:
//	  0       active connections: difference, zigzag
//	  1 to 4  requests, response time, bits, packets: difference in steps, zigzag; plain if what is held is below exactSteps, so that
//	          what was not told before is told exactly
//	  5       load age in ms, its bound in ms (4294967295: none)
//	  6       evidence age in ms, its bound in ms
//	  7 to 10 custom load, members behind, member weight, capacity: difference, zigzag
//	  11      fields present, as in a ServiceRecord; values of those that are not become 0
//	  12      state, a byte, and flags, a byte
//	  13      length of the reason, a byte, then the reason
//	  others  a varint, which is skipped
//
// All numbers but those of 12 and 13 are varints.
type changed uint64

const (
	changedLoadAge     changed = 1 << 5
	changedEvidenceAge changed = 1 << 6
	changedHas         changed = 1 << 11
	changedState       changed = 1 << 12
	changedReason      changed = 1 << 13

	changedValues = 1<<5 - 1 | 1<<7 | 1<<8 | 1<<9 | 1<<10 // of the load
)

// loadValues are the values of a record's load, by their bit in a change.
var loadValues = [...]struct {
	field Fields
	bit   changed
	steps bool // travels as steps
}{
	{HasActiveConnections, 1 << 0, false},
	{HasRequestsPerSecond, 1 << 1, true},
	{HasResponseTime, 1 << 2, true},
	{HasBitsPerSecond, 1 << 3, true},
	{HasPacketsPerSecond, 1 << 4, true},
	{HasCustomLoad, 1 << 7, false},
	{HasMembersBehind, 1 << 8, false},
	{HasMemberWeight, 1 << 9, false},
	{HasCapacity, 1 << 10, false},
}

const hasAges = HasLoadAge | HasEvidenceAge

// trim makes values 0 that do not count. Both ends of a stream do it: a value that counts again is told as the difference to 0.
func (r *ServiceRecord) trim() {
	for i := range loadValues {
		if r.Has&loadValues[i].field == 0 {
			r.setField(loadValues[i].field, 0)
		}
	}
}

// flags returns the flags of the record on the wire.
func (r *ServiceRecord) flags() uint8 {
	var f uint8
	if r.Without4 {
		f |= flagWithout4
	}
	if r.Without6 {
		f |= flagWithout6
	}
	return f
}

// differs returns what of r is not, or not nearly, as receivers hold it. Ages are not looked at.
func (r *ServiceRecord) differs(held *ServiceRecord) changed {
	var c changed
	for i := range loadValues {
		v := &loadValues[i]
		if r.Has&v.field == 0 {
			continue
		}
		before, now := held.field(v.field), r.field(v.field)
		if v.steps && movedOn(before, now) || !v.steps && before != now {
			c |= v.bit
		}
	}
	if (r.Has^held.Has)&knownFields != 0 {
		c |= changedHas
	}
	if r.State != held.State || r.flags() != held.flags() {
		c |= changedState
	}
	if r.Reason != held.Reason {
		c |= changedReason
	}
	return c
}

// appendChange appends what changed, without the gap, and makes held what receivers hold afterwards.
func appendChange(b []byte, what changed, held, now *ServiceRecord, load, evidence *span) []byte {
	b = binary.AppendUvarint(b, uint64(what))
	for i := range loadValues {
		if what&changedLoadAge != 0 && loadValues[i].bit > changedLoadAge {
			b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(load.age)), uint64(load.bound))
			what &^= changedLoadAge
		}
		if what&changedEvidenceAge != 0 && loadValues[i].bit > changedEvidenceAge {
			b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(evidence.age)), uint64(evidence.bound))
			what &^= changedEvidenceAge
		}
		v := &loadValues[i]
		if what&v.bit == 0 {
			continue
		}
		difference := int64(now.field(v.field) - held.field(v.field))
		if v.steps && held.field(v.field) >= exactSteps {
			difference = stepOf(now.field(v.field)) - stepOf(held.field(v.field))
		}
		b = binary.AppendUvarint(b, zigzag(difference))
		held.change(v.field, v.steps, difference)
	}
	if what&changedHas != 0 {
		held.Has = now.Has & knownFields
		held.trim()
		b = binary.AppendUvarint(b, uint64(held.Has))
	}
	if what&changedState != 0 {
		held.State, held.Without4, held.Without6 = now.State, now.Without4, now.Without6
		b = append(b, uint8(now.State), now.flags())
	}
	if what&changedReason != 0 {
		held.Reason = now.Reason
		b = appendText(b, now.Reason)
	}
	return b
}

// change moves a value on.
func (r *ServiceRecord) change(f Fields, steps bool, difference int64) {
	before := r.field(f)
	if !steps || before < exactSteps {
		r.setField(f, before+uint64(difference))
		return
	}
	difference = min(max(difference, -lastStep), lastStep)
	r.setField(f, atStep(stepOf(before)+difference))
}

// readChange reads a change behind the gap, into what is held of the record and of its ages.
func readChange(c *cursor, r *ServiceRecord, load, evidence *span, now time.Duration) {
	what := changed(c.uvarint())
	values := what&changedValues != 0
	for bit := changed(1); bit != 0 && c.err == nil && what >= bit; bit <<= 1 {
		if what&bit == 0 {
			continue
		}
		switch bit {
		case changedLoadAge:
			readSpan(c, load, now)
		case changedEvidenceAge:
			readSpan(c, evidence, now)
		case changedHas:
			r.Has = Fields(c.uvarint()) & knownFields
			r.trim()
		case changedState:
			r.readState(c)
		case changedReason:
			r.Reason = c.text(MaxReason, r.Reason)
		default:
			v := c.uvarint()
			for i := range loadValues {
				if loadValues[i].bit == bit {
					r.change(loadValues[i].field, loadValues[i].steps, unzigzag(v))
				}
			}
		}
	}
	if values && what&changedLoadAge == 0 {
		load.at = now // as old as it was told last
	}
}

func (r *ServiceRecord) readState(c *cursor) {
	if r.State = State(c.u8()); r.State > StateDraining {
		r.State = StateUnknown
	}
	flags := c.u8()
	r.Without4, r.Without6 = flags&flagWithout4 != 0, flags&flagWithout6 != 0
}

func readSpan(c *cursor, s *span, now time.Duration) {
	s.age, s.at = uint32(min(c.uvarint(), unbounded-1)), now
	s.bound = uint32(min(c.uvarint(), unbounded))
}

// digestOf returns a number for a record as receivers hold it, in its place, without its ages. Their sum over all records is
// told with each round, so that a receiver notices when it holds something else.
func digestOf(buf []byte, origin string, slot int, r *ServiceRecord) (digest uint64, scratch []byte) {
	plain := *r
	plain.Has &^= hasAges
	buf = appendText(buf[:0], origin)
	buf = binary.AppendUvarint(buf, uint64(slot))
	buf = plain.append(buf)
	return xxhash.Sum64(buf), buf
}
