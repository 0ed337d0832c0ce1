package adns

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"fairlead/config"
	"fairlead/config/zonedata"
	"fairlead/gslb"
)

// Clients of a view may see other zones than all others do, and other addresses of services. What they see is a face: a Zones
// of its own, which shares with the others what is the same. The view is chosen by who asks and where, before anything else
// is looked at, so that no answer depends on a client subnet but by the decision.

// compileFaces makes the faces of zones that have views, by zone; nil: they are for all who have no other zone of that name.
func compileFaces(data []*zonedata.Zone, views [][]gslb.ViewIndex, plan domains) (*Zones, error) {
	c := faceCompiler{data: data, views: views, plan: plan, placed: make([]bool, plan.Domains()), said: map[string]bool{}}
	for _, zone := range data {
		c.octets += zone.Octets()
	}
	faces := make([]*Zones, 1+plan.Views())
	for v := range faces {
		faces[v] = c.face(gslb.ViewIndex(v), faces[:v])
	}
	for i, placed := range c.placed {
		if !placed && len(c.problems) == 0 { // else its zone may be one of those that failed
			c.problem(fmt.Errorf("place domain %q: %w; add its zone, or correct the name", plan.Domain(gslb.DomainIndex(i)).Name, errNoZone))
		}
	}
	if len(c.problems) > 0 {
		return nil, errors.Join(c.problems...)
	}
	zones := faces[0]
	if slices.ContainsFunc(faces, func(f *Zones) bool { return f != zones }) {
		zones.faces = faces
	}
	return zones, nil
}

// faceCompiler makes one face after the other.
type faceCompiler struct {
	data     []*zonedata.Zone
	views    [][]gslb.ViewIndex
	plan     domains
	octets   int
	seen     [][]int // by face: the zones in it
	placed   []bool  // by domain: some face has it
	problems []error
	said     map[string]bool
}

// problem notes a problem, unless another face had the same.
func (c *faceCompiler) problem(err error) {
	if text := err.Error(); !c.said[text] {
		c.said[text] = true
		c.problems = append(c.problems, err)
	}
}

// face makes the face of a view: one of those before, if it looks like that.
func (c *faceCompiler) face(view gslb.ViewIndex, before []*Zones) *Zones {
	seen, services := c.visible(view), compileServices(c.plan, view)
	c.seen = append(c.seen, seen)
	var like *Zones
	for i, f := range before {
		if !slices.Equal(c.seen[i], seen) {
			continue
		}
		if slices.Equal(f.services, services) {
			return f
		}
		like = f
	}
	if like != nil {
		f := *like
		f.services = services
		return &f
	}
	f := &Zones{zones: c.data, octets: c.octets, services: services, listeners: c.plan.NeedsListener()}
	if err := f.file(seen); err != nil {
		c.problem(err) // names could not be placed in zones that are missing
		return f
	}
	f.nest(seen)
	var l labels
	for i := range c.placed {
		domain := gslb.DomainIndex(i)
		switch err := f.place(&l, domain, c.plan.Domain(domain)); {
		case err == nil:
			c.placed[i] = true
		case !errors.Is(err, errNoZone): // its zone may be for other views
			c.problem(err)
		}
	}
	return f
}

// visible returns the zones that the clients of a view see: those of the view, and those without views unless the view has
// one of the same name.
func (c *faceCompiler) visible(view gslb.ViewIndex) (seen []int) {
	own := map[string]bool{}
	for i, views := range c.views {
		if slices.Contains(views, view) {
			own[string(c.data[i].Origin())] = true
		}
	}
	for i, views := range c.views {
		if slices.Contains(views, view) || len(views) == 0 && !own[string(c.data[i].Origin())] {
			seen = append(seen, i)
		}
	}
	return seen
}

// zoneViews reads the views of a document's zones.
func zoneViews(doc *config.Document) ([][]gslb.ViewIndex, error) {
	out := make([][]gslb.ViewIndex, len(doc.Zones))
	for i := range doc.Zones {
		for _, name := range doc.Zones[i].Views {
			v := slices.IndexFunc(doc.Views, func(v config.View) bool { return v.Name == name })
			if v < 0 {
				return nil, fmt.Errorf("compile zone %q: unknown view %q", doc.Zones[i].Name, name)
			}
			out[i] = append(out[i], gslb.ViewIndex(v+1))
		}
	}
	return out, nil
}

// share gives all faces what the first one knows of its zones.
func (z *Zones) share() {
	for _, f := range z.faces {
		f.clients, f.missing = z.clients, z.missing
	}
}

// seenBy returns the zones as a client sees them, and its view if that makes a difference. It costs a nil check where all see
// the same.
func (s *Snapshot) seenBy(listener, source netip.Addr) (*Zones, gslb.ViewIndex) {
	if s.Zones.faces == nil {
		return s.Zones, 0
	}
	v := s.GSLB.Plan.ViewOf(listener, source)
	return s.Zones.faces[v], v
}
