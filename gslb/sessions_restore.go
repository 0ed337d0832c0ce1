package gslb

import "math"

// Restore is Merge of a session that an earlier table of the same key and the same bounds had: all of them find room again,
// also those that the earlier one had above its bounds.
func (s *Sessions) Restore(k SessionKey, service uint64, until int64) bool {
	if s.readOnly || until <= 0 {
		return false
	}
	c := sessionChange{sought: s.seek(k), service: service, at: s.swept.Load(), until: min(until, math.MaxUint32), wins: mergeWins, moves: true}
	for {
		t := s.table(c.hash)
		if t == nil {
			s.current.CompareAndSwap(nil, newSessionTable(int(s.max.Load())))
			continue
		}
		if done, sealed := t.bucket(c.hash).put(s.sessionStore, &c); !sealed {
			return done
		}
	}
}
