package transfer

import (
	"fmt"

	"github.com/miekg/dns"
)

// edit is a version of a zone that differences are applied to. The old version is not touched.
type edit struct {
	position map[string]int // of each record in records, by identity
	records  [][]byte       // nil: deleted
	octets   int
	scratch  []byte
}

// newEdit copies all but the SOA of a version.
func newEdit(old *image) (*edit, error) {
	e := &edit{position: make(map[string]int, old.records)}
	first := true
	err := eachRecord(old.wire, func(wire []byte) error {
		if first { // the SOA
			first = false
			return nil
		}
		e.put(identity(wire), wire)
		return nil
	})
	return e, err
}

func (e *edit) put(id string, wire []byte) {
	if at, known := e.position[id]; known {
		e.octets -= len(e.records[at])
		e.records[at] = wire
	} else {
		e.position[id] = len(e.records)
		e.records = append(e.records, wire)
	}
	e.octets += len(wire)
}

// remove deletes a record, which must be there.
func (e *edit) remove(rr dns.RR) (err error) {
	if e.scratch, err = appendRecord(e.scratch[:0], rr); err != nil {
		return err
	}
	id := identity(e.scratch)
	at, known := e.position[id]
	if !known {
		return fmt.Errorf("%w: %s %s is to be deleted and is not there", errRefetch, rr.Header().Name, dns.Type(rr.Header().Rrtype))
	}
	delete(e.position, id)
	e.octets -= len(e.records[at])
	e.records[at] = nil
	return nil
}

// insert adds a record, which must not be there.
func (e *edit) insert(rr dns.RR) (err error) {
	wire, err := appendRecord(nil, rr)
	if err != nil {
		return err
	}
	id := identity(wire)
	if _, known := e.position[id]; known {
		return fmt.Errorf("%w: %s %s is to be added and is there already", errRefetch, rr.Header().Name, dns.Type(rr.Header().Rrtype))
	}
	e.put(id, wire)
	return withinLimits(len(e.records), e.octets) // what was deleted counts, too: it takes memory
}

// finish makes the version that the differences led to.
func (e *edit) finish(soa *dns.SOA) (*image, error) {
	wire, err := appendRecord(make([]byte, 0, e.octets+maxNameOctets), soa)
	if err != nil {
		return nil, err
	}
	for _, record := range e.records {
		wire = append(wire, record...)
	}
	return &image{soa: soa, wire: wire, records: len(e.position) + 1}, nil
}
