package config

import (
	"regexp"
	"strings"
)

var (
	// haproxyColumn is the name of a column of HAProxy's CSV statistics.
	haproxyColumn = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)
	// jsonPath is what package monitors reads: names and indexes between dots, indexes in brackets too.
	jsonPath = regexp.MustCompile(`^(?:[^.\[]+(?:\[\d+\])*|(?:\[\d+\])+)(?:\.(?:[^.\[]+(?:\[\d+\])*|(?:\[\d+\])+))*$`)
	// envoyStat is a statistic of a cluster, without cluster.NAME before it.
	envoyStat = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
)

type loadField struct{ key, path string }

// list returns all fields in the order of the document.
func (f *LoadFields) list() []loadField {
	return []loadField{
		{"active", f.Active}, {"requests_per_second", f.RequestsPerSecond}, {"requests_total", f.RequestsTotal},
		{"response_time_ms", f.ResponseTimeMS}, {"bits_per_second", f.BitsPerSecond}, {"bytes_total", f.BytesTotal},
		{"packets_per_second", f.PacketsPerSecond}, {"packets_total", f.PacketsTotal}, {"custom", f.Custom},
		{"members", f.Members}, {"member_weight", f.MemberWeight}, {"capacity", f.Capacity},
		{"response_time_seconds", f.ResponseTimeSeconds}, {"response_seconds_total", f.ResponseSecondsTotal},
	}
}

// checkLoadFields: each number is read from one place, which is written as its kind of source wants it.
func (c *checker) checkLoadFields(l *LoadSource, path string, usable bool) {
	given := false
	for _, f := range l.Fields.list() {
		switch {
		case f.path == "":
		case !usable:
			c.problem(path+"/fields/"+f.key, codeLoadSource, "remove it", "load source %s has no fields", l.Source)
		default:
			given = true
			c.checkLoadPath(l, path+"/fields/"+f.key, f.path)
		}
	}
	if l.Source == LoadJSON && l.Path != "" {
		c.checkLoadPath(l, path+"/path", l.Path)
	}
	if !usable {
		return
	}
	if (l.Source == LoadPrometheus || l.Source == LoadOpenMetrics) && !given && len(l.Custom) == 0 && !c.page.present(path+"/fields") {
		c.problem(path+"/fields", codeLoadSource, "add fields: {active: …}", "load source %s needs fields", l.Source)
	}
	c.checkFieldsApart(l, path)
}

// checkFieldsApart: no metric is read from two places.
func (c *checker) checkFieldsApart(l *LoadSource, path string) {
	f := &l.Fields
	for _, two := range []struct{ key, first, second string }{
		{"active", l.Path, f.Active}, {"requests_total", f.RequestsPerSecond, f.RequestsTotal},
		{"bytes_total", f.BitsPerSecond, f.BytesTotal}, {"packets_total", f.PacketsPerSecond, f.PacketsTotal},
		{"response_time_seconds", f.ResponseTimeMS, f.ResponseTimeSeconds}, {"response_seconds_total", f.ResponseTimeMS + f.ResponseTimeSeconds, f.ResponseSecondsTotal},
	} {
		if two.key == "active" && l.Source != LoadJSON {
			continue // path is wrong itself
		}
		if two.first != "" && two.second != "" && (two.key != "requests_total" || f.ResponseSecondsTotal == "") {
			c.problem(path+"/fields/"+two.key, codeLoadSource, "remove one of them", "fields.%s stands beside another path to the same metric", two.key)
		}
	}
	if f.ResponseSecondsTotal != "" && f.RequestsTotal == "" {
		c.problem(path+"/fields/response_seconds_total", codeLoadSource, "add requests_total:, the count of these responses", "without requests_total no mean can be made of fields.response_seconds_total")
	}
	if f.Custom != "" && len(l.Custom) > 0 {
		c.problem(path+"/fields/custom", codeLoadSource, "remove one of them", "the custom load is both read as one number and made of custom metrics")
	}
}

// checkLoadPath checks where one number is: a field, or a part of the custom load.
func (c *checker) checkLoadPath(l *LoadSource, at, path string) {
	switch l.Source {
	case LoadJSON, LoadNGINXVTS, LoadNGINXPlus:
		if !jsonPath.MatchString(path) {
			c.problem(at, codeLoadSource, "write load.active, pools.0.active or pools[0].active", "%s is not a path to a number in JSON", quote(path))
		}
	case LoadHAProxy:
		if !haproxyColumn.MatchString(path) {
			c.problem(at, codeLoadSource, "write the name of a column, such as qcur", "%s is not a column of HAProxy's statistics", quote(path))
		}
	case LoadNGINX:
		if path != "reading" && path != "writing" && path != "waiting" {
			c.problem(at, codeLoadSource, "write reading, writing or waiting", "%s is not a number of stub_status", quote(path))
		}
	case LoadEnvoy:
		if !envoyStat.MatchString(path) {
			c.problem(at, codeLoadSource, "write the name of a gauge of the cluster, such as upstream_rq_pending_active", "%s is not a statistic of Envoy", quote(path))
		}
	case LoadOpenMetrics, LoadTraefik:
		if _, err := ParseMetricSelector(path); err != nil {
			c.problem(at, codeLoadSource, `write metric{label="value"}`, "%v", err)
		}
	case LoadPrometheus:
		if len(path) > maxLoadQuery {
			c.problem(at, codeLoadSource, "record it by a rule of Prometheus, and ask for that", "the query has %d bytes; the limit is %d", len(path), maxLoadQuery)
		} else if strings.TrimSpace(path) == "" || strings.ContainsRune(path, 0) {
			c.problem(at, codeLoadSource, "write an expression of PromQL that gives one number", "%s is not a query", quote(path))
		}
	case LoadSNMP:
		if ParseOIDSum(path) == nil {
			c.problem(at, codeLoadSource, "write numbers, such as 1.3.6.1.2.1.6.9.0, and + between those to add up", "%s is not an object identifier", quote(path))
		}
	case LoadPush, LoadHost, LoadIPVS:
		c.problem(at, codeLoadSource, "use metric:", "load source %s has no path", l.Source)
	}
}

// checkCustom: each part of a custom load is one number that the kind of source can tell.
func (c *checker) checkCustom(l *LoadSource, path string) {
	if len(l.Custom) > maxCustomMetrics {
		c.problem(path+"/custom", codeLoadSource, "", "%d custom metrics are above the limit of %d", len(l.Custom), maxCustomMetrics)
	}
	for i := range l.Custom {
		m, at := &l.Custom[i], path+at("custom", i)
		switch {
		case c.page.failed[at+"/metric"] || c.page.failed[at+"/path"]:
		case (m.Path == "") == (m.Metric == ""):
			c.problem(at, codeLoadSource, "give either path or metric", "custom metric %s needs either a path or a metric", quote(m.Name))
		case m.Path != "":
			c.checkLoadPath(l, at+"/path", m.Path)
		}
	}
}
