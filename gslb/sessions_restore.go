package gslb

// Restore is Merge of a session that an earlier table of the same key and the same bounds had: all of them find room again,
// also those that the earlier one had above its bounds.
func (s *Sessions) Restore(k SessionKey, service uint64, until int64) bool {
	if until <= 0 {
		return false
	}
	return s.write(&sessionChange{sought: s.seek(k), service: service, at: s.swept.Load(), until: until, wins: mergeWins, moves: true})
}
