package sites

import (
	"slices"
	"testing"
	"time"

	"fairlead/config"
)

// partitionsAt is what a site says of partitions.
func (p *parliament) partitionsAt(site string) []string {
	var out []string
	for _, s := range p.nodes[site].tr.Sites() {
		if s.Partition != "" {
			out = append(out, s.Partition)
		}
	}
	return out
}

// TestPartitionsAreNamed: each site says who hears whom, where that differs, and no more when links are mended.
func TestPartitionsAreNamed(t *testing.T) {
	p := newParliament(t, config.Quorum{Agree: 2}, "ams", "nyc", "sin", "tyo")
	none := func(when string) {
		t.Helper()
		for _, site := range p.names {
			if got := p.partitionsAt(site); len(got) > 0 {
				t.Errorf("%s: %s says %q", when, site, got)
			}
		}
	}
	none("all hear each other")
	p.both("ams", "nyc", false)
	p.pass(15 * time.Second)
	for site, want := range map[string][]string{
		"ams": {"nyc is heard by sin, tyo, not by ams"},
		"nyc": {"ams is heard by sin, tyo, not by nyc"},
		"sin": {"ams is heard by sin, tyo, not by nyc", "nyc is heard by sin, tyo, not by ams"},
	} {
		if got := p.partitionsAt(site); !slices.Equal(got, want) {
			t.Errorf("%s says %q, want %q", site, got, want)
		}
	}
	p.both("ams", "nyc", true)
	p.pass(5 * time.Second)
	none("the link is mended")
	for _, other := range []string{"ams", "nyc", "sin"} {
		p.both("tyo", other, false)
	}
	p.pass(15 * time.Second)
	none("nobody hears tyo, and it hears nobody")
}
