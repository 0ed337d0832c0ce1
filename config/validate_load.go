package config

import "regexp"

// maxCustomMetrics bounds what one read looks for in an answer.
const maxCustomMetrics = 16

// haproxyColumn is the name of a column of HAProxy's CSV statistics.
var haproxyColumn = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// Paths returns the path of each field that is given, by key.
func (f *LoadFields) Paths() map[string]string {
	out := make(map[string]string)
	for _, one := range f.list() {
		if one.path != "" {
			out[one.key] = one.path
		}
	}
	return out
}

type loadField struct{ key, path string }

// list returns all fields in the order of the document.
func (f *LoadFields) list() []loadField {
	return []loadField{
		{"active", f.Active}, {"requests_per_second", f.RequestsPerSecond}, {"requests_total", f.RequestsTotal},
		{"response_time_ms", f.ResponseTimeMS}, {"bits_per_second", f.BitsPerSecond}, {"bytes_total", f.BytesTotal},
		{"packets_per_second", f.PacketsPerSecond}, {"packets_total", f.PacketsTotal}, {"custom", f.Custom},
		{"members", f.Members}, {"member_weight", f.MemberWeight}, {"capacity", f.Capacity},
	}
}

// checkLoadFields: only a JSON document has fields, and each number is read from one place.
func (c *checker) checkLoadFields(l *LoadSource, path string) {
	for _, f := range l.Fields.list() {
		switch {
		case f.path == "":
		case l.Source != LoadJSON:
			c.problem(path+"/fields/"+f.key, codeLoadSource, "remove it", "load source %s has no fields", l.Source)
		case !jsonPath.MatchString(f.path):
			c.notAJSONPath(path+"/fields/"+f.key, f.path)
		}
	}
	if l.Source != LoadJSON {
		return
	}
	for _, two := range []struct{ key, first, second string }{
		{"active", l.Path, l.Fields.Active}, {"requests_total", l.Fields.RequestsPerSecond, l.Fields.RequestsTotal},
		{"bytes_total", l.Fields.BitsPerSecond, l.Fields.BytesTotal}, {"packets_total", l.Fields.PacketsPerSecond, l.Fields.PacketsTotal},
	} {
		if two.first != "" && two.second != "" {
			c.problem(path+"/fields/"+two.key, codeLoadSource, "remove one of them", "fields.%s stands beside another path to the same metric", two.key)
		}
	}
	if l.Fields.Custom != "" && len(l.Custom) > 0 {
		c.problem(path+"/fields/custom", codeLoadSource, "remove one of them", "the custom load is both read as one number and made of custom metrics")
	}
}

func (c *checker) notAJSONPath(at, path string) {
	c.problem(at, codeLoadSource, "write load.active, pools.0.active or pools[0].active", "%s is not a path to a number in JSON", quote(path))
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
		case m.Path == "":
		case l.Source == LoadPush:
			c.problem(at+"/path", codeLoadSource, "use metric:", "load source push has no path")
		case l.Source == LoadHAProxy && !haproxyColumn.MatchString(m.Path):
			c.problem(at+"/path", codeLoadSource, "write the name of a column, such as qcur", "%s is not a column of HAProxy's statistics", quote(m.Path))
		case l.Source == LoadJSON && !jsonPath.MatchString(m.Path):
			c.notAJSONPath(at+"/path", m.Path)
		}
	}
}
