package api

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"fairlead/adns"
)

// observedMetrics adds what the DNS server tells of its queries beside their counts: types, paths, latencies, and what
// became of messages shown to others.
func observedMetrics(g *group) func(chan<- prometheus.Metric, *adns.Stats) {
	types := g.counter("fairlead_dns_questions_total", "Questions that could be read, by type.", "type")
	paths := g.counter("fairlead_dns_answers_total", "Responses by how they were made: in place, or by way of the complete implementation.", "path")
	latency := g.add(prometheus.UntypedValue, "fairlead_dns_latency_seconds", "Time from taking up the first request of a batch until the batch was answered, for each request of it.", []string{"transport"})
	messages := g.counter("fairlead_dns_dnstap_messages_total", "Messages shown by dnstap, sent or dropped.", "result")
	octets := g.counter("fairlead_dns_dnstap_bytes_total", "Octets sent by dnstap.")
	connects := g.counter("fairlead_dns_dnstap_connects_total", "Streams that dnstap opened: connections to the collector, or files.")
	entries := g.counter("fairlead_dns_query_log_entries_total", "Entries of the query log, written or dropped.", "result")
	return func(out chan<- prometheus.Metric, s *adns.Stats) {
		for t, n := range s.Types {
			types.send(out, float64(n), adns.TypeClass(t).String())
		}
		for p, n := range s.Paths {
			paths.send(out, float64(n), adns.Path(p).String())
		}
		for t := range s.Latency {
			latency.sendLatency(out, &s.Latency[t], adns.Transport(t).String())
		}
		messages.send(out, float64(s.Dnstap.Sent), "sent")
		messages.send(out, float64(s.Dnstap.Dropped), "dropped")
		octets.send(out, float64(s.Dnstap.Bytes))
		connects.send(out, float64(s.Dnstap.Connects))
		entries.send(out, float64(s.QueryLog.Written), "written")
		entries.send(out, float64(s.QueryLog.Dropped), "dropped")
	}
}

// sendLatency reports a histogram.
func (f *family) sendLatency(out chan<- prometheus.Metric, l *adns.Latency, labels ...string) {
	buckets := make(map[float64]uint64, adns.LatencyBounds)
	total := uint64(0)
	for i := range adns.LatencyBounds {
		total += l.Buckets[i]
		buckets[adns.LatencyBound(i).Seconds()] = total
	}
	m, err := prometheus.NewConstHistogram(f.desc, l.Count(), l.Sum.Seconds(), buckets, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(f.desc, fmt.Errorf("make histogram: %w", err))
	}
	out <- m
}
