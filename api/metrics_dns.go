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
		{g.counter("fairlead_dns_udp_kernel_drops_total", "Queries over UDP that the kernel dropped because a receive buffer was full. Linux only."),
			func(s *adns.Stats) uint64 { return s.UDP.KernelDrops }},
		{g.counter("fairlead_dns_udp_send_drops_total", "Responses over UDP that found the send buffer full."),
			func(s *adns.Stats) uint64 { return s.UDP.Dropped }},
		{g.counter("fairlead_dns_udp_too_large_total", "Responses that did not fit into one packet of the interface; a truncated one was sent."),
			func(s *adns.Stats) uint64 { return s.UDP.TooLarge }},
		{g.counter("fairlead_dns_udp_segmented_total", "Responses over UDP that were handed to the kernel several in one (GSO)."),
			func(s *adns.Stats) uint64 { return s.UDP.GSOPackets }},
		{g.counter("fairlead_dns_limited_truncated_total", "Responses over UDP that the rate limit truncated, or turned into BADCOOKIE."),
			func(s *adns.Stats) uint64 { return s.Policy.Slipped }},
		{g.counter("fairlead_dns_limited_dropped_total", "Responses over UDP that the rate limit dropped."),
			func(s *adns.Stats) uint64 { return s.Policy.Limited }},
		{g.counter("fairlead_dns_prohibited_total", "Queries of clients that dns.allow_query does not list."),
			func(s *adns.Stats) uint64 { return s.Policy.Prohibited }},
	}
	cookies := g.counter("fairlead_dns_cookies_total", "Queries with a DNS cookie, by what it was worth.", "kind")
	streams := streamMetrics(g)
	observed := observedMetrics(g)
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
		observed(out, &s)
		for _, m := range streams {
			for t := adns.TCP; int(t) < len(s.Streams); t++ {
				m.f.send(out, float64(m.read(&s.Streams[t])), t.String())
			}
		}
		for kind, n := range s.Policy.Cookies {
			cookies.send(out, float64(n), adns.CookieKind(kind).String())
		}
		for _, sum := range sums {
			sum.f.send(out, float64(sum.read(&s)))
		}
	}
	return g
}

// streamMetric is one sum over the connections of each transport.
type streamMetric struct {
	f    *family
	read func(*adns.StreamStats) uint64
}

func streamMetrics(g *group) []streamMetric {
	const transport = "transport"
	return []streamMetric{
		{g.counter("fairlead_dns_connections_accepted_total", "Connections taken.", transport),
			func(s *adns.StreamStats) uint64 { return s.Accepted }},
		{g.counter("fairlead_dns_connections_refused_total", "Connections closed at once: a limit was reached and all others were busy.", transport),
			func(s *adns.StreamStats) uint64 { return s.Refused }},
		{g.counter("fairlead_dns_connections_evicted_total", "Idle connections closed to make room for one of this transport.", transport),
			func(s *adns.StreamStats) uint64 { return s.Evicted }},
		{g.counter("fairlead_dns_connections_timeouts_total", "Connections closed because a message took too long to come or to go.", transport),
			func(s *adns.StreamStats) uint64 { return s.Timeouts }},
		{g.counter("fairlead_dns_accept_errors_total", "Accepts that failed, for example for want of file descriptors.", transport),
			func(s *adns.StreamStats) uint64 { return s.AcceptErrors }},
		{g.counter("fairlead_dns_handshake_errors_total", "TLS handshakes that failed or took too long.", transport),
			func(s *adns.StreamStats) uint64 { return s.HandshakeErrors }},
		{g.gauge("fairlead_dns_connections_open", "Connections open now.", transport),
			func(s *adns.StreamStats) uint64 { return s.Open }},
	}
}
