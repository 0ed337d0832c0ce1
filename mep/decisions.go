package mep

// DecisionsDigest is what a site would answer to a fixed sample of questions, in digests.
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
