package transfer

import (
	"errors"
	"fmt"
	"strings"

	"fairlead/config/zonedata"

	"github.com/miekg/dns"
)

// Limits of what a primary may send.
const (
	// maxZoneOctets is the largest zone, in octets of its records without compression.
	maxZoneOctets = 256 << 20
	// maxMessages and maxReceived bound one transfer.
	maxMessages = 1_000_000
	maxReceived = 512 << 20
)

// image is a complete zone in one piece of memory: its SOA, then the other records, without compression. Immutable.
type image struct {
	soa     *dns.SOA
	wire    []byte
	records int // with the SOA
}

// unpack returns the records, the SOA first.
func (i *image) unpack() ([]dns.RR, error) { return unpackRecords(i.wire) }

// receiver takes the answer to one AXFR or IXFR apart, record by record. Nothing of it counts before done: what is cut is
// never taken for whole.
type receiver struct {
	zone     string // canonical
	question dns.Question
	id       uint16
	old      *image // what there is; nil for AXFR of a zone that was never had

	state    receiveState
	messages int
	soa      *dns.SOA // the newest version, from the first record
	step     uint32   // serial that the current difference leads to
	wire     []byte   // records of the new version
	records  int
	edit     *edit // of the old version, when differences come
}

type receiveState uint8

const (
	wantFirst  receiveState = iota
	wantSecond              // it tells AXFR from IXFR
	inWhole
	inDeletions
	inAdditions
	complete
	unchanged // the primary has nothing newer
)

var (
	errMoreAfterEnd = errors.New("there are records after the final SOA")
	errNoRecords    = errors.New("a message of the transfer has no records")
	// errRefetch says that the differences do not fit what there is: the whole zone will.
	errRefetch = errors.New("the differences do not fit the zone that is here")
	// errRcode is the primary's own refusal.
	errRcode = errors.New("the primary refuses")
)

func newReceiver(zone string, q *dns.Msg, old *image) *receiver {
	return &receiver{zone: zone, question: q.Question[0], id: q.Id, old: old}
}

// done reports whether the transfer is complete.
func (r *receiver) done() bool { return r.state == complete || r.state == unchanged }

// message takes the next message, whose signature was checked.
func (r *receiver) message(packed []byte) error {
	m := new(dns.Msg)
	if err := m.Unpack(packed); err != nil {
		return fmt.Errorf("read message: %w", err)
	}
	r.messages++
	switch {
	case m.Id != r.id:
		return fmt.Errorf("the message has ID %d, the request had %d", m.Id, r.id)
	case !m.Response || m.Opcode != dns.OpcodeQuery:
		return errors.New("the message is not a response to a query")
	case m.Rcode != dns.RcodeSuccess:
		return fmt.Errorf("%w: %s", errRcode, rcodeName(m.Rcode))
	case m.Truncated:
		return errors.New("the message is truncated, on a stream")
	case len(m.Question) > 1 || len(m.Question) == 0 && r.messages == 1 || len(m.Question) == 1 && !r.asked(m.Question[0]):
		return errors.New("the message answers another question")
	case len(m.Answer) == 0:
		return errNoRecords
	case r.messages > maxMessages:
		return fmt.Errorf("more than %d messages", maxMessages)
	}
	for _, rr := range m.Answer {
		if err := r.record(rr); err != nil {
			return err
		}
	}
	if r.state == wantSecond && r.question.Qtype == dns.TypeIXFR && r.old != nil && !newer(r.soa.Serial, r.old.soa.Serial) {
		r.state = unchanged
	}
	return nil
}

func (r *receiver) asked(q dns.Question) bool {
	return q.Qtype == r.question.Qtype && q.Qclass == r.question.Qclass && strings.EqualFold(q.Name, r.question.Name)
}

// record takes the next record.
func (r *receiver) record(rr dns.RR) error {
	h := rr.Header()
	h.Name = zoneName(h.Name)
	if err := r.judge(h); err != nil {
		return err
	}
	soa, isSOA := rr.(*dns.SOA)
	switch r.state {
	case wantFirst:
		if !isSOA {
			return fmt.Errorf("the transfer starts with %s, not with a SOA", dns.Type(h.Rrtype))
		}
		return r.first(soa)
	case wantSecond:
		return r.second(rr, soa)
	case inWhole:
		if isSOA {
			return r.last(soa)
		}
		return r.keep(rr)
	case inDeletions:
		if !isSOA {
			return r.edit.remove(rr)
		}
		r.step, r.state = soa.Serial, inAdditions
		return nil
	case inAdditions:
		if !isSOA {
			return r.edit.insert(rr)
		}
		return r.nextStep(soa)
	}
	return errMoreAfterEnd
}

// judge refuses records that no version of the zone can have.
func (r *receiver) judge(h *dns.RR_Header) error {
	where := fmt.Sprintf("record %s %s", h.Name, dns.Type(h.Rrtype))
	switch {
	case h.Class != dns.ClassINET:
		return fmt.Errorf("%s has class %s", where, dns.Class(h.Class))
	case !dns.IsSubDomain(r.zone, h.Name):
		return fmt.Errorf("%s is outside the zone", where)
	case h.Rrtype == dns.TypeSOA && h.Name != r.zone:
		return fmt.Errorf("%s is not at the top of the zone", where)
	case h.Rrtype == 0, h.Rrtype == dns.TypeReserved, h.Rrtype == dns.TypeOPT, h.Rrtype >= 128 && h.Rrtype <= 255:
		return fmt.Errorf("%s cannot be in a zone", where)
	}
	return nil
}

func (r *receiver) first(soa *dns.SOA) error {
	r.soa, r.state = soa, wantSecond
	if r.old != nil && newer(r.old.soa.Serial, soa.Serial) {
		return fmt.Errorf("the serial goes back from %d to %d", r.old.soa.Serial, soa.Serial)
	}
	return r.keep(soa)
}

// second decides what form the transfer has: after the SOA a whole zone has any other record or the same SOA again,
// differences have the SOA of the version that they start from (RFC 1995 section 4).
func (r *receiver) second(rr dns.RR, soa *dns.SOA) error {
	switch {
	case soa == nil:
		r.state = inWhole
		return r.keep(rr)
	case soa.Serial == r.soa.Serial:
		return r.last(soa)
	case r.question.Qtype != dns.TypeIXFR || r.old == nil:
		return fmt.Errorf("there is a SOA with serial %d amid the zone", soa.Serial)
	case soa.Serial != r.old.soa.Serial:
		return fmt.Errorf("%w: they start from serial %d, not %d", errRefetch, soa.Serial, r.old.soa.Serial)
	}
	r.step, r.state = soa.Serial, inDeletions
	var err error
	r.edit, err = newEdit(r.old)
	return err
}

// nextStep ends a difference: the transfer is complete, or another difference starts where this one led to.
func (r *receiver) nextStep(soa *dns.SOA) error {
	switch {
	case soa.Serial != r.step:
		return fmt.Errorf("%w: after serial %d comes %d", errRefetch, r.step, soa.Serial)
	case soa.Serial == r.soa.Serial:
		whole, err := r.edit.finish(r.soa)
		if err != nil {
			return err
		}
		r.wire, r.records, r.state = whole.wire, whole.records, complete
		return nil
	}
	r.state = inDeletions
	return nil
}

func (r *receiver) last(soa *dns.SOA) error {
	if soa.Serial != r.soa.Serial {
		return fmt.Errorf("the final SOA has serial %d, the first one %d", soa.Serial, r.soa.Serial)
	}
	r.state = complete
	return nil
}

// keep adds a record to the whole zone.
func (r *receiver) keep(rr dns.RR) (err error) {
	if r.wire, err = appendRecord(r.wire, rr); err != nil {
		return err
	}
	r.records++
	return withinLimits(r.records, len(r.wire))
}

func withinLimits(records, octets int) error {
	switch {
	case records > zonedata.MaxRecords:
		return fmt.Errorf("the zone has more than %d records", zonedata.MaxRecords)
	case octets > maxZoneOctets:
		return fmt.Errorf("the zone has more than %d octets", maxZoneOctets)
	}
	return nil
}

// result is the new version; nil when the primary has nothing newer.
func (r *receiver) result() *image {
	if r.state != complete {
		return nil
	}
	return &image{soa: r.soa, wire: r.wire, records: r.records}
}
