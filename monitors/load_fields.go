package monitors

import (
	"errors"

	"fairlead/config"
)

// reading is what one read of a source told.
type reading struct {
	Metrics
	parts []part // of the source's custom metrics with a path
	lacks error  // the first thing that was looked for and is not there
}

// missing notes that something is not in the answer.
func (a *reading) missing(err error) {
	if a.lacks == nil {
		a.lacks = err
	}
}

// jsonField is a key of LoadFields: its metric, and how many of the metric's units one of its own is.
type jsonField struct {
	path   string
	metric Metric
	factor float64
}

func jsonFields(src *config.LoadSource) []jsonField {
	f := &src.Fields
	active := f.Active
	if active == "" {
		active = src.Path
	}
	out := []jsonField{
		{active, Active, 1}, {f.RequestsPerSecond, Requests, 1}, {f.RequestsTotal, RequestsTotal, 1},
		{f.ResponseTimeMS, ResponseTime, 1e-3}, {f.BitsPerSecond, Bandwidth, 1}, {f.BytesTotal, BytesTotal, 1},
		{f.PacketsPerSecond, Packets, 1}, {f.PacketsTotal, PacketsTotal, 1}, {f.Custom, CustomLoad, 1},
		{f.Members, Members, 1}, {f.MemberWeight, MemberWeight, 1}, {f.Capacity, Capacity, 1},
	}
	n := 0
	for _, one := range out {
		if one.path != "" {
			out[n] = one
			n++
		}
	}
	if n == 0 && len(src.Custom) == 0 {
		return []jsonField{{"", Active, 1}} // the document itself is the number
	}
	return out[:n]
}

// readJSON takes what the source's paths lead to. Without any of it the answer is an error.
func readJSON(document []byte, src *config.LoadSource) (reading, error) {
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
		return reading{}, err
	}
	out := reading{parts: make([]part, len(src.Custom))}
	found := 0
	for i, n := range numbers {
		switch {
		case n.err != nil:
			out.missing(n.err)
			continue
		case i < len(fields):
			out.Set(fields[i].metric, n.value*fields[i].factor)
		default:
			out.parts[at[i-len(fields)]] = part{n.value, true}
		}
		found++
	}
	if found == 0 {
		if out.lacks == nil {
			out.lacks = errors.New("the load source names nothing to read")
		}
		return reading{}, out.lacks
	}
	return out, nil
}
