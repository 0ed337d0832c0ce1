package config

import (
	"slices"
	"strings"
)

const (
	// MaxBackupParents is how many backup parents a site can have.
	MaxBackupParents = 8
	// MaxSiteDepth is how many levels of sites there can be, those without parent included.
	MaxSiteDepth = 5
)

// Answers reports whether the site's nodes answer DNS.
func (s *Site) Answers() bool {
	if s.AnswersDNS != nil {
		return *s.AnswersDNS && !s.Foreign
	}
	return s.Parent == "" && !s.Foreign
}

// Asked reports whether the site may be asked what it sees of services with a quorum: it answers DNS, and is in the mesh.
func (s *Site) Asked() bool { return s.Answers() && s.Parent == "" }

// regionQualifiers is how many qualifiers of a place, from the widest on, name its region.
const regionQualifiers = 2

// Region is what a place says of where sites fail together, for quorums: EU.NL of EU.NL.NH.Amsterdam. Sites without a place are in
// one region.
func (l *SiteLocation) Region() string {
	qualifiers := strings.SplitN(l.Place, ".", regionQualifiers+1)
	return strings.ToLower(strings.Join(qualifiers[:min(len(qualifiers), regionQualifiers)], "."))
}

// Parents returns the sites that the site may report to, best first. Empty: it is in the mesh.
func (s *Site) Parents() []string {
	if s.Parent == "" {
		return nil
	}
	return append([]string{s.Parent}, s.BackupParents...)
}

// Relays returns, for each site that has a parent, the sites that may pass on what it says: its parents and backup parents,
// theirs, and so on. Each list is sorted.
func (d *Document) Relays() map[string][]string {
	parents := make(map[string][]string)
	for i := range d.Sites {
		if p := d.Sites[i].Parents(); p != nil {
			parents[d.Sites[i].Name] = p
		}
	}
	out := make(map[string][]string, len(parents))
	for site := range parents {
		var above []string
		seen := map[string]bool{site: true}
		for level, next := 0, parents[site]; level < MaxSiteDepth && len(next) > 0; level++ {
			var further []string
			for _, p := range next {
				if !seen[p] {
					seen[p] = true
					above, further = append(above, p), append(further, parents[p]...)
				}
			}
			next = further
		}
		slices.Sort(above)
		out[site] = above
	}
	return out
}

// Depths returns how many sites are above each site that has a parent at most, on its longest way to the mesh.
func (d *Document) Depths() map[string]int {
	parents := make(map[string][]string)
	for i := range d.Sites {
		if p := d.Sites[i].Parents(); p != nil {
			parents[d.Sites[i].Name] = p
		}
	}
	out := make(map[string]int, len(parents))
	for range MaxSiteDepth {
		for site, above := range parents {
			for _, p := range above {
				out[site] = max(out[site], min(out[p]+1, MaxSiteDepth-1))
			}
		}
	}
	return out
}
