package api

import (
	"fairlead/api/resource"
	"fairlead/gslb"
)

// shownMeasures says how the metrics besides connections are shown. The exported name is that of the Prometheus metric.
var shownMeasures = [...]struct {
	name, unit     string
	exported, help string
	of             func(*gslb.Measures) *gslb.Measure
}{
	{"requests", "1/s", "fairlead_service_requests_per_second", "Requests per second by the last load report.",
		func(m *gslb.Measures) *gslb.Measure { return &m.Requests }},
	{"response-time", "s", "fairlead_service_response_time_seconds", "Mean time to the first byte by the last load report.",
		func(m *gslb.Measures) *gslb.Measure { return &m.ResponseTime }},
	{"bandwidth", "bit/s", "fairlead_service_bandwidth_bits_per_second", "Bandwidth by the last load report.",
		func(m *gslb.Measures) *gslb.Measure { return &m.Bandwidth }},
	{"packets", "packets/s", "fairlead_service_packets_per_second", "Packets per second by the last load report.",
		func(m *gslb.Measures) *gslb.Measure { return &m.Packets }},
	{"custom-load", "", "fairlead_service_custom_load", "Custom load by the last load report.",
		func(m *gslb.Measures) *gslb.Measure { return &m.Custom }},
	{"members", "", "fairlead_service_members", "Usable servers behind the service by the last load report.",
		func(m *gslb.Measures) *gslb.Measure { return &m.Members }},
	{"member-weight", "", "fairlead_service_member_weight", "Sum of the weights of the usable servers behind the service by the last load report.",
		func(m *gslb.Measures) *gslb.Measure { return &m.MemberWeight }},
	{"capacity", "connections", "fairlead_service_capacity_connections", "Connections that the service can carry by the last load report.",
		func(m *gslb.Measures) *gslb.Measure { return &m.Capacity }},
}

// load shows the connections of a service; nil: none were ever reported.
func (v *serviceView) load(l *gslb.Load) *resource.Load {
	age := ageOf(v.now, l.At)
	if age == nil {
		return nil
	}
	return &resource.Load{Active: l.Active, AgeSeconds: *age, Source: l.Source, Expected: l.Expected}
}

// metrics shows what else was reported of a service.
func (v *serviceView) metrics(m *gslb.Measures) []resource.Metric {
	var out []resource.Metric
	eachMeasure(m, func(i int, one *gslb.Measure) {
		out = append(out, resource.Metric{Name: shownMeasures[i].name, Value: one.Value, Unit: shownMeasures[i].unit,
			AgeSeconds: *ageOf(v.now, one.At), Source: one.Source, Expected: one.Expected})
	})
	return out
}

// eachMeasure calls do for what was ever reported, with its place in shownMeasures.
func eachMeasure(m *gslb.Measures, do func(i int, m *gslb.Measure)) {
	if m == nil {
		return
	}
	for i := range shownMeasures {
		if one := shownMeasures[i].of(m); !one.At.IsZero() {
			do(i, one)
		}
	}
}
