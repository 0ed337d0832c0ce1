package source

import (
	"encoding/json"
	"fmt"
	"slices"

	"fairlead/config"
	"fairlead/monitors/metric"
)

// envoyCluster is what is read of a cluster in /clusters?format=json (envoy.admin.v3.ClusterStatus).
type envoyCluster struct {
	Name  string `json:"name"`
	Hosts []struct {
		Stats []struct {
			Name  string      `json:"name"`
			Value json.Number `json:"value"`
		} `json:"stats"`
		Health map[string]any `json:"health_status"`
		Weight float64        `json:"weight"`
	} `json:"host_statuses"`
	Breakers struct {
		Thresholds []struct {
			Priority       string   `json:"priority"`
			MaxConnections *float64 `json:"max_connections"`
		} `json:"thresholds"`
	} `json:"circuit_breakers"`
}

// unlimited is what Envoy's users write for no limit at all: the greatest number of 32 bits, or near it.
const unlimited = 1 << 30

// envoyClusters takes in the list of clusters.
type envoyClusters struct {
	src    *config.LoadSource
	others []string
	found  bool
	told   Reading
}

func (e *envoyClusters) read(dec *json.Decoder) error {
	var c envoyCluster
	if err := dec.Decode(&c); err != nil {
		return err
	}
	if c.Name == e.src.Backend {
		e.found = true
		e.told = c.reading(e.src)
	} else if len(e.others) <= maxBackendsShown {
		e.others = append(e.others, c.Name)
	}
	return nil
}

// reading adds up what the cluster's hosts tell.
func (c *envoyCluster) reading(src *config.LoadSource) Reading {
	stats := make(envoyStats)
	healthy, weight := 0.0, 0.0
	for i := range c.Hosts {
		h := &c.Hosts[i]
		for _, s := range h.Stats {
			// rq_active stands for upstream_rq_active in the statistics of the cluster, and so on.
			if name := "upstream_" + s.Name; stats.wants(name, src) {
				v, _ := s.Value.Float64()
				stats[name] += v
			}
		}
		if usable(h.Health) {
			healthy++
			weight += max(h.Weight, 1)
		}
	}
	out := stats.reading(src)
	out.tell(metric.Members, healthy, "hosts")
	out.tell(metric.MemberWeight, weight, "weights")
	for _, t := range c.Breakers.Thresholds {
		if (t.Priority == "" || t.Priority == "DEFAULT") && t.MaxConnections != nil && *t.MaxConnections < unlimited {
			out.tell(metric.Capacity, *t.MaxConnections, "max_connections")
		}
	}
	return out
}

// usable reports whether a host gets requests: no check of any kind has failed. Degraded hosts get some.
func usable(health map[string]any) bool {
	for key, value := range health {
		switch {
		case key == "eds_health_status":
			word := fmt.Sprint(value)
			if !slices.Contains([]string{"HEALTHY", "DEGRADED", "UNKNOWN"}, word) {
				return false
			}
		case key == "failed_active_degraded_check":
		case value == true: // failed_active_health_check, failed_outlier_check, pending_dynamic_removal, excluded_via_immediate_hc_fail, …
			return false
		}
	}
	return true
}
