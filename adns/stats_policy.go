package adns

import "fairlead/adns/cookie"

// CookieKind is what a query's COOKIE option was worth.
type CookieKind uint8

// Kinds of cookies.
const (
	CookieNew   CookieKind = iota // the client had none of this server
	CookieBad                     // made by others, for others, or too long ago
	CookieValid                   //
	numCookieKinds
)

// String returns "new", "bad" or "valid".
func (k CookieKind) String() string {
	return [...]string{"new", "bad", "valid"}[min(k, CookieValid)]
}

// PolicyStats is sums of what was decided about clients since the server was made.
type PolicyStats struct {
	Cookies    [numCookieKinds]uint64 // queries with a well-formed COOKIE option, by CookieKind
	Slipped    uint64                 // responses over UDP that the rate limit truncated, or turned into BADCOOKIE
	Limited    uint64                 // responses over UDP that the rate limit dropped
	Prohibited uint64                 // queries of clients that dns.allow_query does not list; those of a zone's list are in Rcodes
}

// policyStats returns the sums.
func (s *Server) policyStats() PolicyStats {
	shards := &s.counters.shards
	st := PolicyStats{Prohibited: shards.sum(tallyProhibited)}
	if p := s.policy; p != nil { // else the server was not made by New
		st.Slipped, st.Limited = p.limiting.slipped.Load(), p.limiting.dropped.Load()
	}
	for k := range st.Cookies {
		st.Cookies[k] = shards.sum(tallyCookies + tally(k))
	}
	return st
}

// cookie counts a query's cookie, if it had one.
func (l *shard) cookie(st standing) {
	if !st.spoke {
		return
	}
	kind := CookieNew
	switch {
	case st.status.Valid():
		kind = CookieValid
	case st.status == cookie.Bad:
		kind = CookieBad
	}
	l.count(tallyCookies + tally(kind))
}

// prohibited counts a query of a client that nothing is answered to.
func (l *shard) prohibited() { l.count(tallyProhibited) }
