package api

import (
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"fairlead/adns"
)

// dnsMetrics are the sums of the DNS server.
func (r *resources) dnsMetrics() prometheus.Collector {
	g := &group{}
	queries := g.counter("fairlead_dns_queries_total", "Requests received, answered or not.", "transport")
	responses := g.counter("fairlead_dns_responses_total", "Responses by response code.", "rcode")
	sums := []struct {
		f    *family
		read func(*adns.Stats) uint64
	}{
		{g.counter("fairlead_dns_truncated_total", "Responses sent with TC, so that the client comes back over TCP."),
			func(s *adns.Stats) uint64 { return s.Truncated }},
		{g.counter("fairlead_dns_dropped_total", "Requests that deserve no answer: too short, or responses themselves."),
			func(s *adns.Stats) uint64 { return s.Dropped }},
		{g.counter("fairlead_dns_unencodable_total", "Answers that became SERVFAIL because they fit into no message."),
			func(s *adns.Stats) uint64 { return s.Unencodable }},
		{g.counter("fairlead_dns_panics_total", "Queries whose handling panicked; answered with SERVFAIL. Always 0 unless there is a bug."),
			func(s *adns.Stats) uint64 { return s.Panics }},
		{g.counter("fairlead_dns_read_errors_total", "UDP reads that failed."),
			func(s *adns.Stats) uint64 { return s.ReadErrors }},
		{g.counter("fairlead_dns_write_errors_total", "Responses that could not be sent."),
			func(s *adns.Stats) uint64 { return s.WriteErrors }},
		{g.counter("fairlead_dns_tcp_accepted_total", "TCP connections taken."),
			func(s *adns.Stats) uint64 { return s.TCPAccepted }},
		{g.counter("fairlead_dns_tcp_refused_total", "TCP connections closed at once because a limit was reached."),
			func(s *adns.Stats) uint64 { return s.TCPRefused }},
		{g.counter("fairlead_dns_tcp_timeouts_total", "TCP connections closed because a message took too long to come or to go."),
			func(s *adns.Stats) uint64 { return s.TCPTimeouts }},
		{g.counter("fairlead_dns_tcp_accept_errors_total", "TCP accepts that failed, for example for want of file descriptors."),
			func(s *adns.Stats) uint64 { return s.TCPAcceptErrors }},
		{g.gauge("fairlead_dns_tcp_open", "TCP connections open now."),
			func(s *adns.Stats) uint64 { return s.TCPOpen }},
	}
	g.collect = func(out chan<- prometheus.Metric) {
		s := r.DNSStats()
		for t, n := range s.Queries {
			queries.send(out, float64(n), adns.Transport(t).String())
		}
		for rcode, n := range s.Rcodes {
			if _, named := dns.RcodeToString[rcode]; named || n > 0 {
				responses.send(out, float64(n), rcodeName(rcode))
			}
		}
		for _, sum := range sums {
			sum.f.send(out, float64(sum.read(&s)))
		}
	}
	return g
}
