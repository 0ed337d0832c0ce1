package config

import (
	"fmt"
	"slices"
	"strings"
)

// Metrics that settings need and that custom metrics are not made of.
const (
	metricCustom       LoadMetric = "custom"
	metricMembers      LoadMetric = "members"
	metricMemberWeight LoadMetric = "member_weight"
)

// shownMembers is the most members that a warning names.
const shownMembers = 3

// metricNouns are metrics as people call them.
func metricNoun(m LoadMetric) string {
	switch m {
	case MetricActive:
		return "active connections"
	case MetricResponseTime:
		return "response time"
	case MetricBandwidth:
		return "bandwidth"
	case MetricPackets:
		return "packets"
	case metricCustom:
		return "a custom load"
	case metricMembers:
		return "the number of servers behind the service"
	case metricMemberWeight:
		return "the weights of the servers behind the service"
	}
	return string(m)
}

// tells reports whether a load source can tell a metric. Whoever pushes may push all of them.
func (l *LoadSource) tells(m LoadMetric) bool {
	switch {
	case l == nil:
		return false
	case m == metricCustom && len(l.Custom) > 0 || l.Source == LoadPush || l.Source == "": // not decoded, and reported so
		return true
	case l.Source == LoadSNMP && l.Preset != "":
		return m != metricCustom && m != MetricResponseTime && m != metricMemberWeight
	case l.Source != LoadJSON && l.Source != LoadPrometheus && l.Source != LoadOpenMetrics && l.Source != LoadSNMP:
		return slices.Contains(metricsOf(l.Source, l.Backend), m)
	}
	f := &l.Fields
	switch m {
	case MetricActive:
		return l.Path != "" || f.Active != "" || l.Source == LoadJSON && *f == LoadFields{} && len(l.Custom) == 0
	case MetricRequests:
		return f.RequestsPerSecond != "" || f.RequestsTotal != ""
	case MetricResponseTime:
		return f.ResponseTimeMS != "" || f.ResponseTimeSeconds != "" || f.ResponseSecondsTotal != ""
	case MetricBandwidth:
		return f.BitsPerSecond != "" || f.BytesTotal != ""
	case MetricPackets:
		return f.PacketsPerSecond != "" || f.PacketsTotal != ""
	case metricCustom:
		return f.Custom != ""
	case metricMembers:
		return f.Members != ""
	case metricMemberWeight:
		return f.MemberWeight != ""
	}
	return true
}

// metricsOf are the metrics that a kind of source tells by itself of what its backend names.
func metricsOf(kind LoadKind, backend string) []LoadMetric {
	zone := strings.HasPrefix(backend, "server:") || strings.HasPrefix(backend, "stream-server:")
	switch {
	case kind == LoadHAProxy, kind == LoadNGINXVTS && !zone, kind == LoadNGINXPlus && !zone:
		return []LoadMetric{MetricActive, MetricRequests, MetricResponseTime, MetricBandwidth, metricMembers, metricMemberWeight}
	case kind == LoadNGINX:
		return []LoadMetric{MetricActive, MetricRequests}
	case kind == LoadNGINXVTS:
		return []LoadMetric{MetricActive, MetricRequests, MetricResponseTime, MetricBandwidth}
	case kind == LoadNGINXPlus:
		return []LoadMetric{MetricActive, MetricRequests, MetricBandwidth}
	case kind == LoadEnvoy:
		// Its list of clusters tells the weights but no times, its statistics the times but no weights.
		return []LoadMetric{MetricActive, MetricRequests, MetricResponseTime, MetricBandwidth, metricMembers, metricMemberWeight}
	case kind == LoadTraefik && strings.HasPrefix(backend, "entrypoint:"):
		return []LoadMetric{MetricActive, MetricRequests, MetricResponseTime, MetricBandwidth}
	case kind == LoadTraefik:
		// Release 2 told connections of a service, too.
		return []LoadMetric{MetricRequests, MetricResponseTime, MetricBandwidth, metricMembers}
	case kind == LoadIPVS:
		return []LoadMetric{MetricActive, MetricRequests, MetricBandwidth, MetricPackets, metricMembers, metricMemberWeight}
	case kind == LoadHost:
		return []LoadMetric{MetricActive, MetricBandwidth, MetricPackets}
	}
	return nil
}

// loadLimits are those of a service, or of each of a group.
type loadLimits struct {
	name                   string // for people
	load                   *LoadSource
	connections, bandwidth uint64
	threshold              float64
}

// checkLimits warns of limits that no load source tells how near a service is to. path is that of their object.
func (c *checker) checkLimits(path string, l *loadLimits) {
	if c.page.failed[path+"/load"] {
		return
	}
	for _, limit := range []struct {
		key    string
		given  bool
		metric LoadMetric
	}{{"max_connections", l.connections > 0, MetricActive}, {"max_bandwidth", l.bandwidth > 0, MetricBandwidth}, {"load_threshold", l.threshold > 0, metricCustom}} {
		if limit.given && !l.load.tells(limit.metric) {
			c.problem(path+"/"+limit.key, codeWarnNoLoad, "add load: with a source that tells it, or remove the limit",
				"%s never leaves %s out: no load source tells its %s", limit.key, l.name, strings.TrimPrefix(metricNoun(limit.metric), "a "))
		}
	}
}

// methodMetric is the metric of load that a method compares; empty: none.
func (v *VirtualServer) methodMetric(m Method) LoadMetric {
	switch m {
	case LeastConnection:
		return MetricActive
	case LeastResponseTime:
		return MetricResponseTime
	case LeastBandwidth:
		return MetricBandwidth
	case LeastPackets:
		return MetricPackets
	case CustomLoad:
		return metricCustom
	case Scored:
		if s := &v.Score; s.Load > 0 || s.RTT == 0 && s.Distance == 0 && s.Cost == 0 {
			return MetricActive
		}
	}
	return ""
}

// checkLoadIsTold warns of what a virtual server decides by, and that no load source of some member tells. Where no member has a
// load, the method that a virtual server has by default is passed over: rotation is what such a document is content with.
func (c *checker) checkLoadIsTold(v *VirtualServer, path string) {
	for _, by := range []struct {
		key, word string
		metric    LoadMetric
	}{
		{"method", "method " + string(v.Method), v.methodMetric(v.Method)},
		{"backup_method", "backup_method " + string(v.BackupMethod), v.methodMetric(v.BackupMethod)},
		{"dynamic_weight", "dynamic_weight " + string(v.DynamicWeight), dynamicMetric(v.DynamicWeight)},
		{"spillover/method", "spillover method " + string(v.Spillover.Method), spilloverMetric(v.Spillover.Method)},
	} {
		if by.metric == "" {
			continue
		}
		silent, all := c.silentMembers(v, by.metric)
		switch {
		case len(silent) == 0 || all && !c.page.present(path+"/"+by.key):
		case all:
			c.problem(path+"/"+by.key, codeWarnNoLoad, "add load: to the services, or choose another", "%s has nothing to go by: no load source of a member tells %s",
				by.word, metricNoun(by.metric))
		default:
			c.problem(path+"/"+by.key, codeWarnNoLoad, "add load: to them", "%s knows nothing of %s: no load source tells %s", by.word, someOf(silent), metricNoun(by.metric))
		}
	}
}

// silentMembers returns the members that no load source tells a metric of. all: there are no others. Services that a site
// announces are told with their load.
func (c *checker) silentMembers(v *VirtualServer, metric LoadMetric) (silent []string, all bool) {
	all = true
	note := func(name string, l *LoadSource) {
		if l.tells(metric) {
			all = false
		} else {
			silent = append(silent, name)
		}
	}
	for _, m := range v.Members[:min(len(v.Members), MaxMembers)] {
		if s, ok := c.services[m.Service]; ok && m.Group == "" {
			if !c.page.failed[at("services", s, "load")] {
				note(m.Service, c.doc.Services[s].Load)
			}
			continue
		}
		i, ok := c.groups[m.Group]
		if !ok {
			continue
		}
		g := &c.doc.ServiceGroups[i]
		switch {
		case g.Announced != nil || c.page.failed[at("service_groups", i, "load")]:
			all = false
		case g.Autoscale != nil || len(g.Members) == 0:
			note(g.Name, g.Load)
		default:
			for j := range g.Members {
				note(g.serviceName(&g.Members[j]), g.rawLoad(&g.Members[j]))
			}
		}
	}
	return silent, all
}

// someOf names the first of many.
func someOf(names []string) string {
	text := strings.Join(names[:min(len(names), shownMembers)], ", ")
	if more := len(names) - shownMembers; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func dynamicMetric(d DynamicWeight) LoadMetric {
	switch d {
	case DynamicMembers:
		return metricMembers
	case DynamicMemberWeight:
		return metricMemberWeight
	}
	return ""
}

func spilloverMetric(m SpilloverMethod) LoadMetric {
	switch m {
	case SpilloverConnections, SpilloverDynamicConnections:
		return MetricActive
	case SpilloverBandwidth:
		return MetricBandwidth
	}
	return ""
}
