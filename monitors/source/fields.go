package source

import (
	"errors"

	"fairlead/config"
	"fairlead/monitors/metric"
)

// jsonField is a key of LoadFields: its metric, and how many of the metric's units one of its own is.
type jsonField struct {
	path   string
	metric metric.Metric
	factor float64
}

func jsonFields(src *config.LoadSource) []jsonField {
	f := &src.Fields
	active := f.Active
	if active == "" {
		active = src.Path
	}
	out := []jsonField{
		{active, metric.Active, 1}, {f.RequestsPerSecond, metric.Requests, 1}, {f.RequestsTotal, metric.RequestsTotal, 1},
		{f.ResponseTimeMS, metric.ResponseTime, 1e-3}, {f.BitsPerSecond, metric.Bandwidth, 1}, {f.BytesTotal, metric.BytesTotal, 1},
		{f.PacketsPerSecond, metric.Packets, 1}, {f.PacketsTotal, metric.PacketsTotal, 1}, {f.Custom, metric.CustomLoad, 1},
		{f.Members, metric.Members, 1}, {f.MemberWeight, metric.MemberWeight, 1}, {f.Capacity, metric.Capacity, 1},
	}
	n := 0
	for _, one := range out {
		if one.path != "" {
			out[n] = one
			n++
		}
	}
	if n == 0 && len(src.Custom) == 0 {
		return []jsonField{{"", metric.Active, 1}} // the document itself is the number
	}
	return out[:n]
}

// readJSON takes what the source's paths lead to. Without any of it the answer is an error.
func readJSON(document []byte, src *config.LoadSource) (Reading, error) {
	fields := jsonFields(src)
	paths := make([]string, 0, len(fields)+len(src.Custom))
	for _, f := range fields {
		paths = append(paths, f.path)
	}
	var at []int // places of the custom metrics that have a path
	for i := range src.Custom {
		if src.Custom[i].Path != "" {
			at = append(at, i)
			paths = append(paths, src.Custom[i].Path)
		}
	}
	numbers, err := jsonNumbers(document, paths)
	if err != nil {
		return Reading{}, err
	}
	out := Reading{Parts: make([]Part, len(src.Custom))}
	found := 0
	for i, n := range numbers {
		switch {
		case n.err != nil:
			out.missing(n.err)
			continue
		case i < len(fields):
			out.Set(fields[i].metric, n.value*fields[i].factor)
		default:
			out.Parts[at[i-len(fields)]] = Part{n.value, true}
		}
		found++
	}
	if found == 0 {
		if out.Lacks == nil {
			out.Lacks = errors.New("the load source names nothing to read")
		}
		return Reading{}, out.Lacks
	}
	return out, nil
}
