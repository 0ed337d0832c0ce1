package store

import (
	"encoding/binary"
	"fmt"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
)

// leastStep is how few octets a step has: a kind, a name's length, two hashes.
const leastStep = 2 + 2*len(config.ObjectHash{})

// encodeLine writes a line of the history: revision, view, applied, from, pending, count of steps, and for each key, before, after.
func encodeLine(l *replica.LogLine) ([]byte, error) {
	var rev []byte
	if l.Revision != nil {
		var err error
		if rev, err = l.Revision.Encode(); err != nil {
			return nil, err
		}
	}
	b := make([]byte, 0, len(rev)+len(l.Steps)*96+128)
	b = appendText(appendBytes(b, rev), l.View)
	b = appendTime(appendText(appendTime(b, l.Applied), l.From), l.Pending)
	b = binary.AppendUvarint(b, uint64(len(l.Steps)))
	for _, s := range l.Steps {
		b = append(append(appendKey(b, s.Key), s.Before[:]...), s.After[:]...)
	}
	return b, nil
}

// decodeLine reads what encodeLine wrote; without steps when they are not wanted.
func decodeLine(b []byte, steps bool) (*replica.LogLine, error) {
	r := wordReader{b: b}
	rev := r.bytes()
	l := &replica.LogLine{Entry: revision.Entry{View: r.text(), Applied: r.time(), From: r.text(), Pending: r.time()}}
	if len(rev) > 0 {
		var err error
		if l.Revision, err = revision.Decode(rev); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	n := r.count(leastStep)
	if steps && n > 0 {
		l.Steps = make([]replica.Step, n)
		for i := range l.Steps {
			l.Steps[i] = replica.Step{Key: r.key(), Before: r.hash(), After: r.hash()}
		}
	}
	if r.bad {
		return nil, damagedf("a line of the history ends too early")
	}
	return l, nil
}

// ids returns the names that a line is found by.
func ids(l *replica.LogLine) []string {
	var out []string
	if l.View != "" {
		out = append(out, l.View)
	}
	if l.Revision != nil && l.Revision.ID != l.View {
		out = append(out, l.Revision.ID)
	}
	return out
}
