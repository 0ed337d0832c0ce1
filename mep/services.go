package mep

import (
	"encoding/binary"
	"time"
)

// State is a service's state as its site reports it.
type State uint8

// States. The numbers are part of the protocol: append only. A receiver reads a number it does not know as StateUnknown.
const (
	StateUnknown  State = 0
	StateUp       State = 1
	StateDown     State = 2
	StateDisabled State = 3
	StateDraining State = 4
)

// String returns the state as people read it.
func (s State) String() string {
	switch s {
	case StateUp:
		return "UP"
	case StateDown:
		return "DOWN"
	case StateDisabled:
		return "DISABLED"
	case StateDraining:
		return "DRAINING"
	}
	return "UNKNOWN"
}

// Fields says which optional values a ServiceRecord holds.
type Fields uint16

// Fields. The bits are part of the protocol: append only, in the order of the values on the wire.
const (
	HasActiveConnections Fields = 1 << iota
	HasRequestsPerSecond
	HasResponseTime
	HasBitsPerSecond
	HasPacketsPerSecond
	HasCustomLoad
	HasMembersBehind
	HasLoadAge
	HasEvidenceAge
	HasMemberWeight
	HasCapacity

	knownFields = 1<<iota - 1
)

// MaxAge is the longest age on the wire; older is sent and read as MaxAge.
const MaxAge = 366 * 24 * time.Hour

// ServiceRecord is what a site reports about one of its own services.
//
// Layout:
//
//	0  2  length of what follows, big-endian
//	2  1  state
//	3  1  flags: 1 without IPv4, 2 without IPv6; unknown bits are ignored
//	4  2  fields present, big-endian
//	6  1  length of the name (1 to MaxName), then the name; of a service of a group it is GROUP:MEMBER
//	   1  length of the reason (0 to MaxReason), then the reason
//	      for each bit of the fields, lowest first, a variable-length integer (base 128, low groups first, as in
//	      encoding/binary); for bit 13 an Announcement
//
// A receiver skips what follows the fields it knows, up to the length.
type ServiceRecord struct {
	Name  string
	State State
	// Without4 and Without6 say that the service is up by the other family's address only.
	Without4, Without6 bool
	// Reason says for people why the state is what it is. Not printable or longer than MaxReason: cut when sent.
	Reason string

	// Has says which of the following count.
	Has               Fields
	ActiveConnections uint64
	RequestsPerSecond uint64
	ResponseTime      time.Duration // mean time to the first byte; whole microseconds
	BitsPerSecond     uint64
	PacketsPerSecond  uint64
	CustomLoad        uint64        // in thousandths of the load source's unit
	MembersBehind     uint64        // usable members behind the service
	LoadAge           time.Duration // since all of the load was measured; whole milliseconds, at most MaxAge
	EvidenceAge       time.Duration // since the state was last confirmed; whole milliseconds, at most MaxAge
	MemberWeight      uint64        // sum of the weights of the usable members behind the service
	Capacity          uint64        // connections that the service can carry

	// Announced says where the service is, so that the document need not name it. nil: nothing is said.
	Announced *Announcement
}

const (
	flagWithout4 uint8 = 1 << 0
	flagWithout6 uint8 = 1 << 1

	// minRecord is the smallest record with its length: it bounds how many records a payload can hold.
	minRecord = 2 + 1 + 1 + 2 + 2 + 1
)

// append appends the record. The name must be valid.
func (r *ServiceRecord) append(b []byte) []byte { return r.appendBounded(b, nil) }

// Fields that follow the others in Changes only: bounds of the two ages.
const (
	hasLoadBound Fields = (knownFields + 1) << iota
	hasEvidenceBound
)

// bounds are those of a record's ages, in milliseconds; unbounded: there is none.
type bounds struct{ load, evidence uint32 }

// appendBounded appends the record with bounds; nil: without.
func (r *ServiceRecord) appendBounded(b []byte, most *bounds) []byte {
	start := len(b)
	has := r.Has & knownFields
	present := has
	if most != nil && most.load != unbounded {
		present |= hasLoadBound
	}
	if most != nil && most.evidence != unbounded {
		present |= hasEvidenceBound
	}
	if r.Announced.sendable() {
		present |= hasAnnouncement
	}
	b = append(b, 0, 0, uint8(r.State), r.flags())
	b = binary.BigEndian.AppendUint16(b, uint16(present))
	b = appendText(b, r.Name)
	b = appendText(b, printableText(r.Reason, MaxReason))
	for ; has != 0; has &= has - 1 {
		b = binary.AppendUvarint(b, r.field(has&-has))
	}
	if present&hasLoadBound != 0 {
		b = binary.AppendUvarint(b, uint64(most.load))
	}
	if present&hasEvidenceBound != 0 {
		b = binary.AppendUvarint(b, uint64(most.evidence))
	}
	if present&hasAnnouncement != 0 {
		b = r.Announced.append(b)
	}
	binary.BigEndian.PutUint16(b[start:], uint16(len(b)-start-2))
	return b
}

// field returns one value in its unit on the wire.
func (r *ServiceRecord) field(f Fields) uint64 {
	switch f {
	case HasActiveConnections:
		return r.ActiveConnections
	case HasRequestsPerSecond:
		return r.RequestsPerSecond
	case HasResponseTime:
		return uint64(min(max(r.ResponseTime, 0), MaxAge) / time.Microsecond)
	case HasBitsPerSecond:
		return r.BitsPerSecond
	case HasPacketsPerSecond:
		return r.PacketsPerSecond
	case HasCustomLoad:
		return r.CustomLoad
	case HasMembersBehind:
		return r.MembersBehind
	case HasLoadAge:
		return uint64(min(max(r.LoadAge, 0), MaxAge) / time.Millisecond)
	case HasEvidenceAge:
		return uint64(min(max(r.EvidenceAge, 0), MaxAge) / time.Millisecond)
	case HasMemberWeight:
		return r.MemberWeight
	case HasCapacity:
		return r.Capacity
	}
	return 0
}

// setField takes one value in its unit on the wire.
func (r *ServiceRecord) setField(f Fields, v uint64) {
	switch f {
	case HasActiveConnections:
		r.ActiveConnections = v
	case HasRequestsPerSecond:
		r.RequestsPerSecond = v
	case HasResponseTime:
		r.ResponseTime = time.Duration(min(v, uint64(MaxAge/time.Microsecond))) * time.Microsecond
	case HasBitsPerSecond:
		r.BitsPerSecond = v
	case HasPacketsPerSecond:
		r.PacketsPerSecond = v
	case HasCustomLoad:
		r.CustomLoad = v
	case HasMembersBehind:
		r.MembersBehind = v
	case HasLoadAge:
		r.LoadAge = time.Duration(min(v, uint64(MaxAge/time.Millisecond))) * time.Millisecond
	case HasEvidenceAge:
		r.EvidenceAge = time.Duration(min(v, uint64(MaxAge/time.Millisecond))) * time.Millisecond
	case HasMemberWeight:
		r.MemberWeight = v
	case HasCapacity:
		r.Capacity = v
	}
}

// decode reads the next record of c. before is the record at the same place of the set before, or nil: its strings are
// used again when they are the same, which they nearly always are.
func (r *ServiceRecord) decode(c *cursor, before *ServiceRecord) { r.decodeBounded(c, before) }

func (r *ServiceRecord) decodeBounded(c *cursor, before *ServiceRecord) bounds {
	var none ServiceRecord
	if before == nil {
		before = &none
	}
	b := c.take(int(c.u16()))
	in := cursor{what: c.what, b: b, base: c.base + c.at - len(b), err: c.err}
	r.State = State(in.u8())
	if r.State > StateDraining {
		r.State = StateUnknown
	}
	flags := in.u8()
	r.Without4, r.Without6 = flags&flagWithout4 != 0, flags&flagWithout6 != 0
	present := Fields(in.u16())
	r.Has = present & knownFields
	r.Name = in.serviceName(before.Name)
	r.Reason = in.text(MaxReason, before.Reason)
	for has := r.Has; has != 0; has &= has - 1 {
		r.setField(has&-has, in.uvarint())
	}
	most := bounds{unbounded, unbounded}
	if present&hasLoadBound != 0 {
		most.load = uint32(min(in.uvarint(), unbounded-1))
	}
	if present&hasEvidenceBound != 0 {
		most.evidence = uint32(min(in.uvarint(), unbounded-1))
	}
	if r.Announced = nil; present&hasAnnouncement != 0 {
		r.Announced = readAnnouncement(&in, before.Announced)
	}
	c.err = in.err
	return most
}

// servicesPrefix is what precedes the records of a Services frame. A set that is larger than one frame is sent as parts
// 0, 1, 2...; all but the last carry the flag "more".
//
// Layout, big-endian:
//
//	 0  8  origin's incarnation
//	 8  8  set: grows with every set of that incarnation
//	16  4  age: milliseconds between taking the set and sending this part
//	20  2  part
//	22  1  hops: how many more sites may pass the set on; 0 from the origin to its peers
//	23  1  reserved: 0 when sent, ignored when received
//	24  4  records in this frame
//	28  1  length of the origin's name, then the name: the site whose services these are
//	       records
type servicesPrefix struct {
	incarnation, set uint64
	age              time.Duration
	part             uint16
	hops             uint8
	records          uint32
	origin           string
}

// Offsets of what is filled in late: the count when a part is full, the age when it is sent.
const (
	servicesAgeOffset   = 16
	servicesCountOffset = 24
)

func (p *servicesPrefix) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, p.incarnation)
	b = binary.BigEndian.AppendUint64(b, p.set)
	b = binary.BigEndian.AppendUint32(b, milliseconds32(p.age))
	b = binary.BigEndian.AppendUint16(b, p.part)
	b = append(b, p.hops, 0)
	b = binary.BigEndian.AppendUint32(b, p.records)
	return appendText(b, p.origin)
}

// decodeServices decodes one part. before holds the records of the set before from this part's first on; it may be
// short. The records are freshly allocated.
func decodeServices(payload []byte, before []ServiceRecord) (servicesPrefix, []ServiceRecord, error) {
	c := cursor{what: "Services", b: payload}
	var p servicesPrefix
	p.incarnation, p.set = c.u64(), c.u64()
	p.age = time.Duration(c.u32()) * time.Millisecond
	p.part = c.u16()
	p.hops = c.u8()
	c.u8()
	p.records = c.u32()
	p.origin = c.name()
	if c.err != nil {
		return p, nil, c.err
	}
	if p.records > MaxServices {
		return p, nil, refusef(RejectOversize, "decode Services at byte %d: %d records are above the limit of %d",
			servicesCountOffset, p.records, MaxServices)
	}
	if uint64(p.records)*minRecord > uint64(len(payload)-c.at) {
		c.failf("%d records do not fit into %d bytes", p.records, len(payload)-c.at)
		return p, nil, c.err
	}
	records := make([]ServiceRecord, p.records)
	for i := range records {
		var b *ServiceRecord
		if i < len(before) {
			b = &before[i]
		}
		if records[i].decode(&c, b); c.err != nil {
			return p, nil, c.err
		}
	}
	if c.at != len(payload) {
		c.failf("%d bytes follow the last record", len(payload)-c.at)
	}
	return p, records, c.err
}
