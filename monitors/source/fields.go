package source

import (
	"errors"
	"io"

	"fairlead/config"
	"fairlead/monitors/metric"
)

// field is a key of LoadFields: where its number is, its metric, and how many of the metric's units one of its own is.
type field struct {
	path   string
	metric metric.Metric
	factor float64
}

// fieldsOf returns the fields that a source has.
func fieldsOf(src *config.LoadSource) []field {
	f := &src.Fields
	active := f.Active
	if active == "" {
		active = src.Path
	}
	out := []field{
		{active, metric.Active, 1}, {f.RequestsPerSecond, metric.Requests, 1}, {f.RequestsTotal, metric.RequestsTotal, 1},
		{f.ResponseTimeMS, metric.ResponseTime, 1e-3}, {f.BitsPerSecond, metric.Bandwidth, 1}, {f.BytesTotal, metric.BytesTotal, 1},
		{f.PacketsPerSecond, metric.Packets, 1}, {f.PacketsTotal, metric.PacketsTotal, 1}, {f.Custom, metric.CustomLoad, 1},
		{f.Members, metric.Members, 1}, {f.MemberWeight, metric.MemberWeight, 1}, {f.Capacity, metric.Capacity, 1},
		{f.ResponseTimeSeconds, metric.ResponseTime, 1}, {f.ResponseSecondsTotal, metric.ResponseSecondsTotal, 1},
	}
	n := 0
	for _, one := range out {
		if one.path != "" {
			out[n] = one
			n++
		}
	}
	return out[:n]
}

// averages reports whether several samples of a metric make a mean, and not a sum.
func averages(m metric.Metric) bool { return m == metric.ResponseTime }

// readJSON takes what the source's paths lead to. Without any of it the answer is an error.
func readJSON(document io.Reader, src *config.LoadSource) (Reading, error) {
	fields := fieldsOf(src)
	if len(fields) == 0 && len(src.Custom) == 0 {
		fields = []field{{"", metric.Active, 1}} // the document itself is the number
	}
	paths := make([]string, 0, len(fields)+len(src.Custom))
	for _, f := range fields {
		paths = append(paths, f.path)
	}
	at := customPaths(src)
	for _, i := range at {
		paths = append(paths, src.Custom[i].Path)
	}
	numbers, err := jsonNumbers(document, paths)
	if err != nil {
		return Reading{}, err
	}
	out := Reading{Parts: make([]Part, len(src.Custom))}
	found := 0
	for i, n := range numbers {
		switch {
		case n.err != nil && (n.great == 0 || i >= len(fields) || !fields[i].metric.Total()):
			out.missing(n.err)
			continue
		case i < len(fields):
			out.tell(fields[i].metric, (n.value+n.great)*fields[i].factor, fields[i].path)
		default:
			out.Parts[at[i-len(fields)]] = Part{n.value, true}
		}
		found++
	}
	return out.orNothing(found)
}

// customPaths returns the places of the custom metrics that have a path.
func customPaths(src *config.LoadSource) []int {
	var at []int
	for i := range src.Custom {
		if src.Custom[i].Path != "" {
			at = append(at, i)
		}
	}
	return at
}

// orNothing is a reading with so many numbers in it: without any it is an error.
func (a *Reading) orNothing(found int) (Reading, error) {
	if found > 0 {
		return *a, nil
	}
	if a.Lacks == nil {
		a.Lacks = errors.New("the load source names nothing to read")
	}
	return Reading{}, a.Lacks
}
