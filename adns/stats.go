package adns

import (
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"fairlead/adns/dnstap"
	"fairlead/adns/querylog"
	"fairlead/adns/udp"
)

// maxRcode is the largest rcode that is sent: BADCOOKIE.
const maxRcode = dns.RcodeBadCookie

// Stats is sums since the server was made, but for the connections that are open.
type Stats struct {
	Queries     [numTransports]uint64  // requests by Transport, answered or not
	Rcodes      [maxRcode + 1]uint64   // responses by rcode
	Types       [numTypeClasses]uint64 // requests by TypeClass, of those whose question could be read
	Paths       [numPaths]uint64       // responses by Path
	Latency     [numTransports]Latency // by Transport; requests whose answers were not sent yet are missing
	Truncated   uint64                 // responses sent with TC
	Dropped     uint64                 // requests that deserve no answer: too short, or responses themselves
	Unencodable uint64                 // answers that became SERVFAIL because they fit into no message
	Panics      uint64                 // queries whose handling panicked; answered with SERVFAIL
	ReadErrors  uint64                 // UDP reads that failed
	WriteErrors uint64                 // responses that could not be sent

	Dnstap   dnstap.Stats   // of Observers.Dnstap
	QueryLog querylog.Stats // of Observers.QueryLog

	UDP     udp.Stats                  // of all addresses
	Streams [numTransports]StreamStats // connections by Transport; none for UDP
	Policy  PolicyStats                // what was decided about clients
}

// counters is where Stats comes from. What happens to each query is counted in shards; the rest, and what is counted
// outside a responder, here.
type counters struct {
	shards                                  shards
	queries                                 [numTransports]atomic.Uint64
	rcodes                                  [maxRcode + 1]atomic.Uint64
	truncated, dropped, unencodable, panics atomic.Uint64
	readErrors, writeErrors                 atomic.Uint64
	streams                                 [numTransports]streamCounters
}

// countRcode counts one response.
func (c *counters) countRcode(rcode int) {
	if rcode >= 0 && rcode < len(c.rcodes) {
		c.rcodes[rcode].Add(1)
	}
}

// Stats returns the sums. Each is exact; together they are not one moment's. Safe for concurrent use.
func (s *Server) Stats() Stats {
	c := &s.counters
	st := Stats{
		Truncated: c.truncated.Load(), Dropped: c.dropped.Load(), Unencodable: c.unencodable.Load(),
		Panics: c.panics.Load(), ReadErrors: c.readErrors.Load(), WriteErrors: c.writeErrors.Load(),
	}
	for i := range st.Queries {
		st.Queries[i] = c.queries[i].Load()
		st.Streams[i] = c.streams[i].stats()
	}
	for i := range st.Rcodes {
		st.Rcodes[i] = c.rcodes[i].Load()
	}
	c.shards.addTo(&st)
	s.observers.addTo(&st)
	st.Policy = s.policyStats()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.endpoints {
		st.UDP.Add(s.endpoints[i].packet.Stats())
	}
	st.ReadErrors += st.UDP.ReadErrors
	st.WriteErrors += st.UDP.WriteErrors
	return st
}

// addTo adds what shards have published.
func (s *shards) addTo(st *Stats) {
	for i := range st.Queries {
		st.Queries[i] += s.sum(tallyQueries + tally(i))
		st.Latency[i] = s.latency(Transport(i))
	}
	for i := range st.Rcodes {
		st.Rcodes[i] += s.sum(tallyRcodes + tally(i))
	}
	for i := range st.Types {
		st.Types[i] = s.sum(tallyTypes + tally(i))
	}
	for i := range st.Paths {
		st.Paths[i] = s.sum(tallyPaths + tally(i))
	}
	st.Truncated += s.sum(tallyTruncated)
	st.Dropped += s.sum(tallyDropped)
}

// every lets one event pass per interval.
type every struct{ last atomic.Int64 }

// allow reports whether the event at now (nanoseconds) passes.
func (e *every) allow(now int64, interval time.Duration) bool {
	last := e.last.Load()
	return (last == 0 || now-last >= int64(interval) || now < last) && e.last.CompareAndSwap(last, now)
}
