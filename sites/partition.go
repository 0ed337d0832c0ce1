package sites

import (
	"fmt"
	"slices"

	"fairlead/mep"
)

// Sites of the mesh tell each other which ones they hear. Where these tell different things of one site, the net between them is cut in
// two, or works in one direction: "I do not hear nyc" then is not "nyc is down", and the status says so.

// heardSites takes in which sites of the mesh one hears itself.
func (t *Tracker) heardSites(by *site, r *mep.ViewsReport) {
	if !by.mesh {
		return
	}
	t.hearing, t.missing = t.hearing[:0], t.missing[:0]
	for i := range r.Records {
		if v := &r.Records[i]; v.Kind == mep.ViewOfSite {
			switch s := t.sites[v.Name]; {
			case s == nil || !s.mesh || s == by:
			case v.State == mep.StateUp:
				t.hearing = append(t.hearing, s)
			default:
				t.missing = append(t.missing, s)
			}
		}
	}
	if !slices.Equal(by.hears, t.hearing) || !slices.Equal(by.misses, t.missing) {
		by.hears, by.misses = slices.Clone(t.hearing), slices.Clone(t.missing)
		t.reached++
	}
}

// partitions says by site of the document who hears it and who does not, where these are not all; "" elsewhere. Sites that are not
// heard here have no say.
func (t *Tracker) partitions() []string {
	place := make(map[*site]int, len(t.list))
	for i, s := range t.list {
		place[s] = i
	}
	heard, missed := make([][]string, len(t.list)), make([][]string, len(t.list))
	for _, by := range t.list {
		here := by.standing == standsHere
		if !here && (!by.mesh || !by.session) {
			continue
		}
		for i, s := range t.list {
			switch {
			case !here || !s.mesh || s == by:
			case s.session:
				heard[i] = append(heard[i], by.name)
			default:
				missed[i] = append(missed[i], by.name)
			}
		}
		for _, s := range by.hears {
			if i, ok := place[s]; ok && !here {
				heard[i] = append(heard[i], by.name)
			}
		}
		for _, s := range by.misses {
			if i, ok := place[s]; ok && !here {
				missed[i] = append(missed[i], by.name)
			}
		}
	}
	out := make([]string, len(t.list))
	for i, s := range t.list {
		if len(heard[i]) > 0 && len(missed[i]) > 0 && s.standing != standsHere && !s.left {
			out[i] = fmt.Sprintf("%s is heard by %s, not by %s", s.name, listed(heard[i]), listed(missed[i]))
		}
	}
	return out
}
