package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/reason"
)

// readEnvoy reads a cluster from one of the answers of Envoy's admin interface: /stats/prometheus, /stats?format=json or
// /clusters?format=json. The first bytes say which.
func readEnvoy(page io.Reader, src *config.LoadSource) (Reading, error) {
	r := bufio.NewReaderSize(page, maxLine)
	first, err := beginning(r)
	switch {
	case err != nil:
		return Reading{}, err
	case bytes.HasPrefix(first, []byte("{")):
		return readEnvoyJSON(r, src)
	case bytes.HasPrefix(first, []byte("#")), bytes.HasPrefix(first, []byte("envoy_")):
		return readEnvoyMetrics(r, src)
	}
	return Reading{}, fmt.Errorf("answer starts with %s: does the url end in /stats/prometheus, /stats?format=json or /clusters?format=json?",
		reason.Quote(firstLine(first)))
}

// envoyStats are the statistics of one cluster by their names, such as upstream_rq_active.
type envoyStats map[string]float64

// envoyWanted are the statistics that metrics are made of.
var envoyWanted = []string{"upstream_rq_active", "upstream_cx_active", "upstream_rq_total", "upstream_cx_rx_bytes_total", "upstream_cx_tx_bytes_total",
	"membership_healthy", "upstream_rq_time_sum"}

// wants reports whether a statistic is asked for.
func (e envoyStats) wants(name string, src *config.LoadSource) bool {
	return slices.Contains(envoyWanted, name) || slices.ContainsFunc(src.Custom, func(m config.CustomMetric) bool { return m.Path == name })
}

// reading makes a reading of statistics. Requests under way count as the active ones, as connections to servers behind are kept and
// shared; where they are not told, the connections do.
func (e envoyStats) reading(src *config.LoadSource) Reading {
	out := Reading{Parts: make([]Part, len(src.Custom))}
	if v, ok := e["upstream_rq_active"]; ok {
		out.tell(metric.Active, v, "upstream_rq_active")
	} else if v, ok := e["upstream_cx_active"]; ok {
		out.tell(metric.Active, v, "upstream_cx_active")
	} else if len(e) > 0 { // a cluster without hosts has nothing to count
		out.missing(fmt.Errorf("cluster %q has no statistic \"upstream_rq_active\": does the filter in the url leave it out?", src.Backend))
	}
	received, ok1 := e["upstream_cx_rx_bytes_total"]
	sent, ok2 := e["upstream_cx_tx_bytes_total"]
	if ok1 && ok2 {
		out.tell(metric.BytesTotal, received+sent, "bytes")
	}
	for _, one := range []struct {
		name   string
		metric metric.Metric
		factor float64
	}{{"upstream_rq_total", metric.RequestsTotal, 1}, {"membership_healthy", metric.Members, 1}, {"upstream_rq_time_sum", metric.ResponseSecondsTotal, 1e-3}} {
		if v, ok := e[one.name]; ok {
			out.tell(one.metric, v*one.factor, one.name)
		}
	}
	for _, i := range customPaths(src) {
		if v, ok := e[src.Custom[i].Path]; ok {
			out.part(i, v, src.Custom[i].Path)
		} else {
			out.missing(fmt.Errorf("cluster %q has no statistic %q", src.Backend, src.Custom[i].Path))
		}
	}
	return out
}

// readEnvoyMetrics reads /stats/prometheus.
func readEnvoyMetrics(page io.Reader, src *config.LoadSource) (Reading, error) {
	const prefix = "envoy_cluster_"
	stats := make(envoyStats)
	var others []string
	wanted := func(name []byte) bool {
		return bytes.HasPrefix(name, []byte(prefix)) && stats.wants(string(name[len(prefix):]), src)
	}
	err := eachSample(page, wanted, func(s *sample) error {
		name := string(s.name[len(prefix):])
		cluster := s.label("envoy_cluster_name")
		if cluster == nil {
			cluster = s.label("cluster_name") // as Istio's proxies call it
		}
		if string(cluster) == src.Backend {
			stats[name] += s.value
		} else if len(others) <= maxBackendsShown && !slices.Contains(others, string(cluster)) {
			others = append(others, string(cluster))
		}
		return nil
	})
	if err != nil {
		return Reading{}, err
	}
	if len(stats) == 0 {
		return Reading{}, noSuch("statistics of cluster", src.Backend, others)
	}
	return stats.reading(src), nil
}

// readEnvoyJSON reads /stats?format=json or /clusters?format=json.
func readEnvoyJSON(page io.Reader, src *config.LoadSource) (Reading, error) {
	dec := json.NewDecoder(page)
	stats, known := make(envoyStats), false
	clusters := envoyClusters{src: src}
	err := eachKey(dec, func(key string) error {
		switch key {
		case "stats":
			known = true
			return stats.readJSON(dec, src)
		case "cluster_statuses":
			known = true
			return eachElement(dec, func() error { return clusters.read(dec) })
		}
		return skipValue(dec)
	})
	if err == nil {
		err = atEnd(dec)
	}
	switch {
	case err != nil:
		return Reading{}, notJSON(dec, err)
	case !known:
		return Reading{}, fmt.Errorf("answer has neither stats nor cluster_statuses: does the url end in /stats?format=json or /clusters?format=json?")
	case clusters.found:
		return clusters.told, nil
	case len(stats) > 0:
		return stats.reading(src), nil
	}
	return Reading{}, noSuch("statistics of cluster", src.Backend, clusters.others)
}

// readJSON reads the list of statistics, among which are objects of another kind.
func (e envoyStats) readJSON(dec *json.Decoder, src *config.LoadSource) error {
	prefix := "cluster." + src.Backend + "."
	return eachElement(dec, func() error {
		var one struct {
			Name  string          `json:"name"`
			Value json.RawMessage `json:"value"`
		}
		if err := dec.Decode(&one); err != nil {
			return err
		}
		name, ours := strings.CutPrefix(one.Name, prefix)
		if !ours || !e.wants(name, src) {
			return nil
		}
		v, err := parseNumber(string(one.Value))
		if err != nil && v == 0 { // a number may be a total's
			return fmt.Errorf("statistic %s: %w", reason.Quote(one.Name), err)
		}
		e[name] = v
		return nil
	})
}
