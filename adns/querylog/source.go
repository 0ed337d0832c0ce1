package querylog

import "math/rand/v2"

// Source chooses queries for one goroutine. It is not safe for concurrent use and needs no closing.
type Source struct {
	log  *Log
	left int64 // queries until the next one that is chosen
	rand *rand.Rand
}

// Due counts one query and reports whether it is to be recorded.
func (s *Source) Due() bool {
	s.left--
	if s.left > 0 {
		return false
	}
	s.left = s.gap()
	return true
}

// gap draws how far the next chosen query is away, such that each query is chosen with the same probability and nothing
// follows from the one before.
func (s *Source) gap() int64 { return 1 + int64(s.rand.ExpFloat64()*s.log.scale) }

// Record takes a chosen query, or drops it when there are too many.
func (s *Source) Record(e *Entry) { s.log.record(e) }
