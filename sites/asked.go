package sites

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"fairlead/config"
)

// seat is a site that is asked about a service.
type seat struct {
	name   string
	region string
}

// inquest says who is asked about the services of a document that have a quorum. All sites come to the same result.
type inquest struct {
	document *config.Document
	monitors map[string]*config.Monitor
	kinds    *kinds
	sites    []candidate // that answer DNS and hear each other, by name
	order    []draw      // of the service in hand
}

type candidate struct {
	seat
	hash uint64
}

// draw is a site's place in the order of a service.
type draw struct {
	rank   uint64
	site   int32 // of inquest.sites
	chosen bool
}

func newInquest(doc *config.Document) *inquest {
	in := &inquest{document: doc, kinds: newKinds(doc), monitors: make(map[string]*config.Monitor, len(doc.Monitors))}
	for i := range doc.Monitors {
		in.monitors[doc.Monitors[i].Name] = &doc.Monitors[i]
	}
	for i := range doc.Sites {
		if s := &doc.Sites[i]; s.Asked() {
			in.sites = append(in.sites, candidate{seat: seat{s.Name, s.Location.Region()}, hash: xxhash.Sum64String(s.Name)})
		}
	}
	slices.SortFunc(in.sites, func(a, b candidate) int { return strings.Compare(a.name, b.name) })
	return in
}

// of returns the quorum of a service: its own, else that of its first monitor that has one. Agree is 0 when
// it has none, no monitor, or only such as repeat what the owner tells: all sites would repeat the same.
func (in *inquest) of(s *config.Service) config.Quorum {
	if in.kinds.hearsayOnly(s) {
		return config.Quorum{}
	}
	if len(s.Monitors) > 0 && s.Quorum.Agree > 0 {
		return s.Quorum
	}
	for i := range s.Monitors {
		if m := in.monitors[s.Monitors[i].Monitor]; m != nil && m.Quorum.Agree > 0 {
			return m.Quorum
		}
	}
	return config.Quorum{}
}

// asked returns the sites that are asked about a service with a quorum: all, or as many as the quorum says, the owner first, then
// by a hash of service and site. The first of a region come before others until there are as many regions as must agree.
func (in *inquest) asked(s *config.Service, quorum config.Quorum) []seat {
	most := len(in.sites)
	if quorum.Of == 0 || quorum.Of >= most {
		out := make([]seat, most)
		for i := range in.sites {
			out[i] = in.sites[i].seat
		}
		return out
	}
	most = quorum.Of
	in.draw(s)
	out := make([]seat, 0, most)
	take := func(d *draw) {
		d.chosen = true
		out = append(out, in.sites[d.site].seat)
	}
	for i, regions := 0, 0; i < len(in.order) && regions < quorum.Regions && len(out) < most; i++ {
		d := &in.order[i]
		if !slices.ContainsFunc(out, func(o seat) bool { return o.region == in.sites[d.site].region }) {
			take(d)
			regions++
		}
	}
	for i := 0; i < len(in.order) && len(out) < most; i++ {
		if d := &in.order[i]; !d.chosen {
			take(d)
		}
	}
	return out
}

// draw orders the sites for a service.
func (in *inquest) draw(s *config.Service) {
	in.order = in.order[:0]
	hash := xxhash.Sum64String(s.Name)
	for i := range in.sites {
		d := draw{rank: max(scatter(in.sites[i].hash^hash), 1), site: int32(i)}
		if in.sites[i].name == s.Site {
			d.rank = 0
		}
		in.order = append(in.order, d)
	}
	slices.SortFunc(in.order, func(a, b draw) int {
		if c := cmp.Compare(a.rank, b.rank); c != 0 {
			return c
		}
		return cmp.Compare(a.site, b.site)
	})
}

// scatter is the finalizer of SplitMix64: who is asked is the same at all sites, of whatever release.
func scatter(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Probed says, by service of a document, whether the monitors of a site probe it: those of all services when it answers DNS, else
// its own; and of those with a quorum that asks some sites only, what it is asked about.
func Probed(doc *config.Document, site string) []bool {
	out := make([]bool, len(doc.Services))
	own := doc.Site(site)
	all := own == nil || own.Answers()
	var in *inquest
	if own != nil && own.Asked() {
		in = newInquest(doc)
	}
	for i := range doc.Services {
		out[i] = probes(&doc.Services[i], site, all, in)
	}
	return out
}

// probes is Probed of one service. all is whether the site looks at all sites' services; in is nil for one that is not asked.
func probes(s *config.Service, site string, all bool, in *inquest) bool {
	if len(s.Monitors) == 0 || !all && s.Site != site {
		return false
	}
	if in == nil {
		return true
	}
	if quorum := in.of(s); quorum.Of > 0 && quorum.Of < len(in.sites) {
		return slices.ContainsFunc(in.asked(s, quorum), func(o seat) bool { return o.name == site })
	}
	return true
}
