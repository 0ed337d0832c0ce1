package api

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes is how many scrapes are answered at once; further ones get 503.
const maxScrapes = 4

// metrics returns the handler of /metrics. Everything is read when it is scraped, so that serving counts nothing twice.
// Labels come from the document and from closed sets, never from a query.
func (r *resources) metrics() (http.Handler, error) {
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		r.beliefMetrics(),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		r.dnsMetrics(), r.transferMetrics(), r.serviceMetrics(), r.groupMetrics(), r.geoMetrics(), r.exchangeMetrics(), r.probeMetrics(), r.monitorMetrics(), r.nodeMetrics(), r.configMetrics(), r.accessMetrics(), r.headroomMetrics(),
		r.learnedMetrics(), r.sessionUseMetrics(), r.sharedMetrics(), r.agreementMetrics(), r.resolverMetrics(),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: stdLog(r.log), MaxRequestsInFlight: maxScrapes}), nil
}

// A group is the metrics of one part of the node.
type group struct {
	families []*family
	collect  func(chan<- prometheus.Metric)
}

// Describe implements prometheus.Collector.
func (g *group) Describe(out chan<- *prometheus.Desc) {
	for _, f := range g.families {
		out <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (g *group) Collect(out chan<- prometheus.Metric) { g.collect(out) }

// family is all metrics of one name.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func (g *group) gauge(name, help string, labels ...string) *family {
	return g.add(prometheus.GaugeValue, name, help, labels)
}

func (g *group) counter(name, help string, labels ...string) *family {
	return g.add(prometheus.CounterValue, name, help, labels)
}

func (g *group) add(kind prometheus.ValueType, name, help string, labels []string) *family {
	f := &family{prometheus.NewDesc(name, help, labels, nil), kind}
	g.families = append(g.families, f)
	return f
}

// send reports one value. A label that is not UTF-8 spoils the scrape, not the process.
func (f *family) send(out chan<- prometheus.Metric, value float64, labels ...string) {
	m, err := prometheus.NewConstMetric(f.desc, f.kind, value, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(f.desc, err)
	}
	out <- m
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
