package source

import (
	"encoding/json"
	"fmt"
	"slices"

	"fairlead/config"
	"fairlead/monitors/metric"
)

// envoyHost is what is read of a host in /clusters?format=json (envoy.admin.v3.HostStatus).
type envoyHost struct {
	Stats []struct {
		Name  string      `json:"name"`
		Value json.Number `json:"value"`
	} `json:"stats"`
	Health map[string]any `json:"health_status"`
	Weight float64        `json:"weight"`
}

// envoyCluster is what is read of a cluster there (envoy.admin.v3.ClusterStatus), its hosts added up.
type envoyCluster struct {
	name            string
	hosts           int
	stats           envoyStats
	healthy, weight float64
	breakers        struct {
		Thresholds []struct {
			Priority       string   `json:"priority"`
			MaxConnections *float64 `json:"max_connections"`
		} `json:"thresholds"`
	}
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

// read reads one cluster, host by host: a page can have many.
func (e *envoyClusters) read(dec *json.Decoder) error {
	c := envoyCluster{stats: make(envoyStats)}
	err := eachKey(dec, func(key string) error {
		switch other := c.name != "" && c.name != e.src.Backend; {
		case key == "name":
			return dec.Decode(&c.name)
		case key == "host_statuses" && !other:
			return eachElement(dec, func() error {
				if c.hosts++; c.hosts > maxServers {
					return fmt.Errorf("a cluster has more than %d hosts", maxServers)
				}
				var h envoyHost
				if err := decodeSmall(dec, &h); err != nil {
					return err
				}
				c.add(&h, e.src)
				return nil
			})
		case key == "circuit_breakers" && !other:
			return decodeSmall(dec, &c.breakers)
		}
		return skipValue(dec)
	})
	if err != nil {
		return err
	}
	if c.name == e.src.Backend {
		e.found = true
		e.told = c.reading(e.src)
	} else if len(e.others) <= maxBackendsShown {
		e.others = append(e.others, c.name)
	}
	return nil
}

// add adds up what a host tells.
func (c *envoyCluster) add(h *envoyHost, src *config.LoadSource) {
	for _, s := range h.Stats {
		// rq_active stands for upstream_rq_active in the statistics of the cluster, and so on.
		if name := "upstream_" + s.Name; c.stats.wants(name, src) {
			v, _ := s.Value.Float64()
			c.stats[name] += v
		}
	}
	if usable(h.Health) {
		c.healthy++
		c.weight += max(h.Weight, 1)
	}
}

func (c *envoyCluster) reading(src *config.LoadSource) Reading {
	out := c.stats.reading(src)
	out.tell(metric.Members, c.healthy, "hosts")
	out.tell(metric.MemberWeight, c.weight, "weights")
	for _, t := range c.breakers.Thresholds {
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
