package gslb

import (
	"math"
	"net/netip"
	"strings"

	"fairlead/config/geodata"
)

// Located is what is known about where an address is.
type Located struct {
	// Place is dotted qualifiers, widest first, unknown ones before known ones as "?"; empty: not known.
	Place string
	// Latitude and Longitude are degrees (WGS 84). They mean nothing without HasCoordinates.
	Latitude, Longitude float64
	HasCoordinates      bool
	// Sources is what says so: "locations" for the document, else the paths of location files. Empty: nothing is known.
	Sources []string
	// First and Last are the ends of the addresses around it of which the same is said.
	First, Last netip.Addr
	// Bits is the length of the widest prefix around it whose clients decisions cannot tell apart.
	Bits int
	// Sites has one entry for each site of the document, in its order.
	Sites []Nearness
}

// SourceDocument is the source of a location that the document itself gives.
const SourceDocument = "locations"

// Nearness is how close a site is to an address.
type Nearness struct {
	Site  string
	Depth int     // how many leading qualifiers of the places match
	Km    float64 // great-circle distance; negative: not known
	Rank  uint32  // greater is closer, equals tie; 0: nothing is known
}

// Geo returns the location files that the plan was made with; nil: none.
func (p *Plan) Geo() *geodata.Table { return p.locations.geo }

// Locate says where an address is. It is for people: it allocates.
func (p *Plan) Locate(a netip.Addr) Located { return p.locations.locate(a.Unmap()) }

func (l *locations) locate(a netip.Addr) Located {
	out := Located{First: a, Last: a}
	r, bits := l.find(a)
	out.Bits = bits
	place, at := l.describe(a, &out)
	for i := range l.sites {
		s := &l.sites[i]
		n := Nearness{Site: l.names[i], Km: -1, Depth: l.words.depth(&place, &s.wordPlace)}
		if at.located && s.at.located {
			n.Km = greatCircleMetres(at, s.at) / 1000
		}
		if r != nil && r.closeness != nil {
			n.Rank = r.closeness[i]
		}
		out.Sites = append(out.Sites, n)
	}
	return out
}

// describe fills in the words for an address, and returns its place and coordinates.
func (l *locations) describe(a netip.Addr, out *Located) (wordPlace, spot) {
	var place wordPlace
	var at spot
	n, _ := l.own.Lookup(a)
	ownFirst, ownLast := l.own.Range(a)
	out.First, out.Last = ownFirst, ownLast
	switch {
	case n != 0:
		at = l.ownSpots[n]
		place = l.words.place(at.qualifiers)
		out.Place, out.Sources = l.ownPlaces[n], []string{SourceDocument}
	case l.geo != nil:
		first, last := l.geo.Ranges().Range(a)
		if out.First.Less(first) {
			out.First = first
		}
		if last.Less(out.Last) {
			out.Last = last
		}
		if n, _ = l.geo.Lookup(a); n != 0 {
			s := l.geo.Spot(n)
			place, at = l.spotPlace(s), coordinatesOf(s)
			out.Place, out.Sources = l.geo.Place(n), l.geo.SourcesOf(n)
		}
	}
	if at.located {
		out.HasCoordinates = true
		out.Latitude, out.Longitude = degrees(at.lat), degrees(at.lon)
	}
	return place, at
}

// spotPlace turns the place of one spot into words.
func (l *locations) spotPlace(s *geodata.Spot) (p wordPlace) {
	for i, q := range s.Qualifiers {
		if q != 0 {
			p.words[i], p.n = l.words.word(strings.ToLower(l.geo.Text(q))), i+1
		}
	}
	return p
}

// degrees converts radians, to the precision of the sources.
func degrees(radians float64) float64 { return math.Round(radians*180/math.Pi*1e6) / 1e6 }
