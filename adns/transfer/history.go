package transfer

import (
	"fmt"

	"github.com/cespare/xxhash/v2"
	"github.com/miekg/dns"
)

// Limits of what is kept for incremental transfers.
const (
	// maxHistoryVersions is how many versions of a zone can be left behind by a client that still gets differences.
	maxHistoryVersions = 16
	// maxHistoryOctets bounds the differences of one zone, maxHistoryTotal those of all.
	maxHistoryOctets = 1 << 20
	maxHistoryTotal  = 64 << 20
	// maxHistoryRecords is the largest zone whose versions are compared.
	maxHistoryRecords = 200_000
)

// difference is what changed from one version of a zone to the next.
type difference struct {
	from, to *dns.SOA
	deleted  []byte // records, uncompressed
	added    []byte
}

func (d *difference) octets() int { return len(d.deleted) + len(d.added) }

// version is a published zone: what it is, and how it came to be. It is immutable.
type version struct {
	zone  Zone // nil while it has no data
	rules *rules
	views []string // Variant.Views
	// fingerprint is the sum of the records' hashes, so that a change without a new serial is seen.
	fingerprint uint64
	octets      int // of the records
	records     int
	// history leads from older versions to this one, oldest first.
	history []difference
}

// newVersion measures a zone.
func newVersion(z Zone, r *rules) (*version, error) {
	v := &version{zone: z, rules: r}
	var b []byte
	for rr := range z.Records() {
		var err error
		if b, err = appendRecord(b[:0], rr); err != nil {
			return nil, err
		}
		v.fingerprint += xxhash.Sum64(b)
		v.octets += len(b)
		v.records++
	}
	return v, nil
}

// succeed gives v the history of the version before, and the step from it.
func (v *version) succeed(before *version) error {
	if v.records > maxHistoryRecords || before.records > maxHistoryRecords {
		return nil
	}
	step, err := compare(before.zone, v.zone)
	if err != nil {
		return err
	}
	history := append(append([]difference(nil), before.history...), step)
	total := 0
	for i := len(history) - 1; i >= 0; i-- {
		total += history[i].octets()
		if total > maxHistoryOctets || len(history)-i > maxHistoryVersions {
			history = history[i+1:]
			break
		}
	}
	v.history = history
	return nil
}

// compare returns what changed between two versions of a zone.
func compare(old, now Zone) (difference, error) {
	d := difference{from: old.SOA(), to: now.SOA()}
	gone := map[string]struct{}{}
	var b []byte
	for rr := range old.Records() {
		var err error
		if b, err = appendRecord(b[:0], rr); err != nil {
			return d, err
		}
		gone[string(b)] = struct{}{}
	}
	for rr := range now.Records() {
		var err error
		if b, err = appendRecord(b[:0], rr); err != nil {
			return d, err
		}
		if _, stayed := gone[string(b)]; stayed {
			delete(gone, string(b))
			continue
		}
		d.added = append(d.added, b...)
	}
	for rr := range old.Records() { // again, for a stable order
		var err error
		if b, err = appendRecord(b[:0], rr); err != nil {
			return d, err
		}
		if _, left := gone[string(b)]; left {
			d.deleted = append(d.deleted, b...)
		}
	}
	return d, nil
}

// since returns the steps from a serial to this version; false when the history does not reach back that far, or when
// the whole zone is smaller than the steps.
func (v *version) since(serial uint32) ([]difference, bool) {
	for i := range v.history {
		if v.history[i].from.Serial != serial {
			continue
		}
		octets := 0
		for j := i; j < len(v.history); j++ {
			octets += v.history[j].octets()
		}
		return v.history[i:], octets <= v.octets
	}
	return nil, false
}

func (v *version) historyOctets() (n int) {
	for i := range v.history {
		n += v.history[i].octets()
	}
	return n
}

// writeWhole sends the zone: SOA, all records, SOA (RFC 5936 section 2.2).
func (v *version) writeWhole(p *packer) error {
	soa := v.zone.SOA()
	if err := p.add(soa); err != nil {
		return err
	}
	for rr := range v.zone.Records() {
		if err := p.add(rr); err != nil {
			return err
		}
	}
	if err := p.add(soa); err != nil {
		return err
	}
	return p.flush()
}

// writeSteps sends differences: the new SOA; for each step the old SOA, what goes, the next SOA, what comes; the new SOA
// (RFC 1995 section 4).
func (v *version) writeSteps(p *packer, steps []difference) error {
	if err := p.add(v.zone.SOA()); err != nil {
		return err
	}
	for i := range steps {
		for _, half := range []struct {
			soa     *dns.SOA
			records []byte
		}{{steps[i].from, steps[i].deleted}, {steps[i].to, steps[i].added}} {
			if err := p.add(half.soa); err != nil {
				return err
			}
			err := eachRecord(half.records, func(wire []byte) error {
				rr, _, err := dns.UnpackRR(wire, 0)
				if err != nil {
					return fmt.Errorf("read kept record: %w", err)
				}
				return p.add(rr)
			})
			if err != nil {
				return err
			}
		}
	}
	if err := p.add(v.zone.SOA()); err != nil {
		return err
	}
	return p.flush()
}
