package mep

import (
	"encoding/binary"
	"time"
)

// DecisionsDigest is what a site would answer to a fixed sample of questions, in digests.
//
// Layout, big-endian:
//
//	 0 32  digest of the document that it holds for
//	32  8  digest of all answers
//	40  1  number of parts of the sample, at most MaxDecisionBuckets
//	41  1  number of causes, at most MaxDecisionCauses
//	42  2  reserved: 0 when sent, ignored when received
//	44     8 octets for each part, then 8 for each cause
//	       later versions may append fields, which are ignored
type DecisionsDigest struct {
	Document  [32]byte // the document that it holds for
	Decisions uint64   // of all answers
	Buckets   []uint64 // of parts of the sample, at most MaxDecisionBuckets
	Causes    []uint64 // of what answers follow from, in an order that the protocol fixes; at most MaxDecisionCauses
}

// Limits of a Decisions frame.
const (
	MaxDecisionBuckets = 64
	MaxDecisionCauses  = 16
)

func (d *DecisionsDigest) append(b []byte) []byte {
	buckets, causes := d.Buckets[:min(len(d.Buckets), MaxDecisionBuckets)], d.Causes[:min(len(d.Causes), MaxDecisionCauses)]
	b = binary.BigEndian.AppendUint64(append(b, d.Document[:]...), d.Decisions)
	b = append(b, uint8(len(buckets)), uint8(len(causes)), 0, 0)
	for _, v := range buckets {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	for _, v := range causes {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

func decodeDecisions(payload []byte) (d DecisionsDigest, err error) {
	c := cursor{what: FrameDecisions.String(), b: payload}
	copy(d.Document[:], c.take(len(d.Document)))
	d.Decisions = c.u64()
	buckets, causes := int(c.u8()), int(c.u8())
	c.u16()
	switch {
	case c.err != nil:
		return d, c.err
	case buckets > MaxDecisionBuckets:
		return d, refusef(RejectOversize, "take %s: %d parts are above the limit of %d", c.what, buckets, MaxDecisionBuckets)
	case causes > MaxDecisionCauses:
		return d, refusef(RejectOversize, "take %s: %d causes are above the limit of %d", c.what, causes, MaxDecisionCauses)
	case 8*(buckets+causes) > len(payload)-c.at:
		c.failf("%d parts and %d causes do not fit into %d bytes", buckets, causes, len(payload)-c.at)
		return d, c.err
	}
	d.Buckets, d.Causes = make([]uint64, buckets), make([]uint64, causes)
	for i := range d.Buckets {
		d.Buckets[i] = c.u64()
	}
	for i := range d.Causes {
		d.Causes[i] = c.u64()
	}
	return d, c.err
}

// TellDecisions tells peers a digest of this site's answers. to chooses the peers by their sites; nil: all with a session. It
// returns how many were told, and how many not because too much waited. It does not block.
func (x *Exchange) TellDecisions(d DecisionsDigest, to func(site string) bool) (taken, left int) {
	return x.post(posted{kind: FrameDecisions, payload: d.append(nil)}, func(p *peer) bool { return to == nil || to(p.site) })
}

func (s *session) handleDecisions(payload []byte) error {
	d, err := decodeDecisions(payload)
	if err != nil {
		return err
	}
	s.x.report(s, &DecisionsReport{Peer: s.peer.site, DecisionsDigest: d, ReceivedAt: time.Now()})
	return nil
}
