package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/adns/sketch"
	"fairlead/api/resource"
	"fairlead/gslb"
	"fairlead/internal/whatif"
)

type sketchInput struct {
	Limit int `query:"limit" default:"100" minimum:"1" maximum:"10000" doc:"Most entries, and most remainders."`
}

// Resolve refuses what is not a parameter here.
func (in *sketchInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type sketchOutput struct{ Body resource.Sketch }

func (r *resources) registerSketch(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "get-sketch", Method: http.MethodGet, Path: "/v1/sketch", Tags: []string{"status"},
		Summary:     "Which balanced names are asked for from where, and how often",
		Description: "Kinds of queries by name, family, network of the resolver and of the client, and the address that was asked. What was counted halves every 15 minutes."},
		[]int{http.StatusUnprocessableEntity}, r.sketch)
}

func (r *resources) sketch(_ context.Context, in *sketchInput) (*sketchOutput, error) {
	v := r.Sketch()
	out := resource.Sketch{At: v.At.UTC(), Since: v.Since.UTC(), HalfLifeSeconds: sketch.HalfLife.Seconds(), PerSecond: v.Total * v.PerSecond,
		Kinds: len(v.Entries), MaxKinds: sketch.MaxEntries, LeftOut: v.LeftOut,
		Entries: []resource.SketchEntry{}, Remainders: []resource.SketchRemainder{}}
	for i := range v.Entries[:min(len(v.Entries), in.Limit)] {
		e := &v.Entries[i]
		out.Entries = append(out.Entries, resource.SketchEntry{Name: e.Name, Family: familyName(e.Family), LDNS: e.LDNS, Subnet: e.Subnet, Listener: e.Listener,
			PerSecond: e.Count * v.PerSecond, ErrorPerSecond: e.Error * v.PerSecond, Share: e.Count / v.Total})
	}
	for i := range v.Remainders[:min(len(v.Remainders), in.Limit)] {
		e := &v.Remainders[i]
		out.Remainders = append(out.Remainders, resource.SketchRemainder{Name: e.Name, Family: familyName(e.Family), PerSecond: e.Count * v.PerSecond})
	}
	if p := r.Peak(); p.Connections > 0 {
		out.Peak = &p
	}
	return &sketchOutput{out}, nil
}

// familyName is what a query asks for, as people know it.
func familyName(f gslb.Family) string {
	switch f {
	case gslb.IPv4:
		return "A"
	case gslb.IPv6:
		return "AAAA"
	case gslb.AnyFamily:
		return "HTTPS"
	case gslb.ByHost:
		return "host"
	case gslb.ByNAPTR:
		return "NAPTR"
	}
	return "other"
}

// SketchQueries returns what a sketch holds as the queries of a what-if question, by their number in a second.
func SketchQueries(v *sketch.View) []whatif.Query {
	out := make([]whatif.Query, 0, len(v.Entries)+len(v.Remainders))
	for i := range v.Entries {
		e := &v.Entries[i]
		out = append(out, whatif.Query{Name: e.Name, Family: e.Family, LDNS: e.LDNS.Addr(), Subnet: e.Subnet, Listener: e.Listener, Weight: e.Count * v.PerSecond})
	}
	for i := range v.Remainders {
		e := &v.Remainders[i]
		out = append(out, whatif.Query{Name: e.Name, Family: e.Family, Weight: e.Count * v.PerSecond})
	}
	return out
}
