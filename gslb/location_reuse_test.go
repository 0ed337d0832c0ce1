package gslb

import (
	"testing"

	"fairlead/config"
)

// TestLocationsAreKept: they are compiled again only when something that they are made of has changed.
func TestLocationsAreKept(t *testing.T) {
	geo := geoTable(t, `198.51.100.0,198.51.100.255,"EU","NL"`)
	build := func() *world {
		return twoSites(config.VirtualServer{Method: config.StaticProximity}).location("203.0.113.0/24", "NA.US")
	}
	compile := func(w *world, o CompileOptions) *Plan {
		plan, err := Compile(&w.doc, o)
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	first := compile(build(), CompileOptions{Geo: geo})
	kept := map[string]func(*world){
		"nothing":   func(*world) {},
		"a service": func(w *world) { w.service("more", "ams", Up, "192.0.2.99") },
	}
	for what, change := range kept {
		w := build()
		change(w)
		if got := compile(w, CompileOptions{Geo: geo, Before: first}); got.locations != first.locations {
			t.Errorf("%s changed: locations are compiled again", what)
		}
	}
	anew := map[string]func(*world){
		"a site's place": func(w *world) { w.doc.Sites[0].Location.Place = "EU.DE" },
		"a location":     func(w *world) { w.doc.Locations[0].Place = "NA.CA" },
		"a new location": func(w *world) { w.location("192.0.2.0/24", "SA") },
		"wildcards":      func(w *world) { w.doc.Settings.Locations.Wildcards = config.WildcardLiteral },
		"a policy": func(w *world) {
			w.doc.VirtualServers[0].Policies = []config.Policy{{Name: "p", Clients: prefixes("192.0.2.0/24"), Orders: []int{1}}}
		},
	}
	for what, change := range anew {
		w := build()
		change(w)
		if got := compile(w, CompileOptions{Geo: geo, Before: first}); got.locations == first.locations {
			t.Errorf("%s changed: locations are those from before", what)
		}
	}
	if got := compile(build(), CompileOptions{Before: first}); got.locations == first.locations {
		t.Error("other location files: locations are those from before")
	}
}
