package gslb

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strings"

	"fairlead/config"
	"fairlead/config/geodata"
)

// spot is where something is: qualifiers, coordinates, both or nothing.
type spot struct {
	qualifiers []string // lower case, widest first
	lat, lon   float64  // radians
	located    bool     // lat and lon are known
}

func newSpot(place string, lat, lon *float64) spot {
	var s spot
	if place != "" {
		s.qualifiers = strings.Split(strings.ToLower(place), ".")
	}
	if lat != nil && lon != nil {
		s.lat, s.lon, s.located = *lat*math.Pi/180, *lon*math.Pi/180, true
	}
	return s
}

// locations maps every client address to a region: what decisions need to know about it. Where clients are is said by the
// document first, then by the location files; neighbours that decisions cannot tell apart are one region, so that the length
// of the prefix that comes with it is the truthful scope of RFC 7871 section 7.2.1.
type locations struct {
	from    locationInputs
	ranges  *geodata.Ranges // of numbers of regions
	regions []*region       // the first is everywhere else; nil: nothing is known of its clients

	// What follows serves distances and explanations.
	own       *geodata.Ranges // of numbers of ownSpots
	ownSpots  []spot          // the first is nowhere
	ownPlaces []string        // as the document writes them
	geo       *geodata.Table
	words     *placeWords
	sites     []sitePlace
	names     []string // of the sites
}

// region is what decisions need to know about the clients of a range of addresses.
type region struct {
	number    uint32
	closeness []uint32 // by site: greater is closer, 0 is unknown; equals tie. nil: the clients' place is not known
	matches   []uint64 // bits: the client matchers that these clients satisfy
}

// satisfies reports whether the region's clients satisfy a matcher.
func (r *region) satisfies(matcher int) bool {
	return matcher/64 < len(r.matches) && r.matches[matcher/64]&(1<<(matcher%64)) != 0
}

// find returns the region of a client, and the prefix length that it is valid for; nil when nothing is known.
func (l *locations) find(client netip.Addr) (*region, int) {
	if len(l.regions) == 1 { // all clients are in it
		return l.regions[0], 0
	}
	n, bits := l.ranges.Lookup(client)
	return l.regions[n], bits
}

// geoSpot marks the numbers of spots that location files tell of.
const geoSpot = 1 << 31

// spotNumber numbers where a client is, and returns the prefix length that this is valid for. 0: it is not known.
func (l *locations) spotNumber(client netip.Addr) (number uint32, bits int) {
	n, bits := l.own.Lookup(client)
	if n != 0 || l.geo == nil {
		return n, bits
	}
	n, wide := l.geo.Lookup(client)
	if n == 0 {
		return 0, max(bits, wide)
	}
	return n | geoSpot, max(bits, wide)
}

// spotOf returns the coordinates of what spotNumber numbered.
func (l *locations) spotOf(number uint32) spot {
	if number&geoSpot != 0 {
		return coordinatesOf(l.geo.Spot(number &^ geoSpot))
	}
	s := l.ownSpots[number]
	return spot{lat: s.lat, lon: s.lon, located: s.located}
}

// coordinatesOf converts millionths of a degree.
func coordinatesOf(s *geodata.Spot) spot {
	const radians = math.Pi / 180 / 1e6
	if !s.Located() {
		return spot{}
	}
	return spot{lat: float64(s.Latitude) * radians, lon: float64(s.Longitude) * radians, located: true}
}

// earthRadius is the mean one, in metres.
const earthRadius = 6371008.8

// greatCircleMetres is the haversine distance on a sphere of the mean earth radius.
func greatCircleMetres(a, b spot) float64 {
	lat, lon := math.Sin((b.lat-a.lat)/2), math.Sin((b.lon-a.lon)/2)
	h := lat*lat + math.Cos(a.lat)*math.Cos(b.lat)*lon*lon
	return 2 * earthRadius * math.Asin(math.Min(1, math.Sqrt(h)))
}

// direction is a place on the globe as the unit vector to it from the centre: of two of them the distance is found several
// times faster than of two spots.
type direction [3]float64

func directionOf(s spot) direction {
	sin, cos := math.Sincos(s.lat)
	sinLon, cosLon := math.Sincos(s.lon)
	return direction{cos * cosLon, cos * sinLon, sin}
}

// metres is greatCircleMetres: a quarter of the chord's square is the haversine.
func (a *direction) metres(b *direction) float64 {
	x, y, z := a[0]-b[0], a[1]-b[1], a[2]-b[2]
	return 2 * earthRadius * math.Asin(min(1, math.Sqrt(x*x+y*y+z*z)/2))
}

// maxMatchers is how many different conditions on clients the policies of a document may have.
const maxMatchers = 256

// clientMatcher is a condition on clients: one of the prefixes, if there are any, and one of the places, if there are any.
type clientMatcher struct {
	prefixes []netip.Prefix
	places   []string // patterns
}

// locationBuilder gathers what locations are compiled from.
type locationBuilder struct {
	matchers []clientMatcher
}

// addMatcher numbers a matcher.
func (b *locationBuilder) addMatcher(m clientMatcher) int {
	b.matchers = append(b.matchers, m)
	return len(b.matchers) - 1
}

// locationInputs is all that locations are compiled from.
type locationInputs struct {
	matchers  []clientMatcher
	locations []config.Location
	wildcards config.WildcardMatch
	sites     []site
	geo       *geodata.Table
}

// same reports whether the same locations would come of both.
func (in *locationInputs) same(as *locationInputs) bool {
	return in.geo == as.geo && in.wildcards == as.wildcards && reflect.DeepEqual(in.matchers, as.matchers) &&
		reflect.DeepEqual(in.locations, as.locations) && reflect.DeepEqual(in.sites, as.sites)
}

// buildUnless returns the locations of the plan before, which may be nil, when nothing that they are made of has changed: with
// millions of ranges it takes seconds to compile them.
func (b *locationBuilder) buildUnless(before *Plan, doc *config.Document, geo *geodata.Table, sites []site) (*locations, error) {
	in := locationInputs{b.matchers, doc.Locations, doc.Settings.Locations.Wildcards, sites, geo}
	if before != nil && before.locations.from.same(&in) {
		return before.locations, nil
	}
	l, err := b.build(doc, geo, sites)
	if err != nil {
		return nil, err
	}
	l.from = in
	return l, nil
}

// build compiles the locations. geo may be nil.
func (b *locationBuilder) build(doc *config.Document, geo *geodata.Table, sites []site) (*locations, error) {
	if len(b.matchers) > maxMatchers {
		return nil, fmt.Errorf("compile policies: %d of them look at the client; the limit is %d", len(b.matchers), maxMatchers)
	}
	l := &locations{geo: geo, ownSpots: make([]spot, 1), ownPlaces: make([]string, 1)}
	l.words = newPlaceWords(sites, b.matchers, doc.Settings.Locations.Wildcards != config.WildcardLiteral)
	for i := range sites {
		l.sites = append(l.sites, l.words.site(sites[i].spot))
		l.names = append(l.names, sites[i].name)
	}
	var own [2][]geodata.Span
	for i := range doc.Locations {
		in := &doc.Locations[i]
		l.ownSpots = append(l.ownSpots, newSpot(in.Place, in.Latitude, in.Longitude))
		l.ownPlaces = append(l.ownPlaces, in.Place)
		first, last := geodata.PrefixRange(in.Prefix)
		f := familyOf(in.Prefix.Addr())
		own[f] = append(own[f], geodata.Span{First: first, Last: last, Value: uint32(i + 1)})
	}
	for f := range own {
		own[f] = geodata.Flatten(own[f])
	}
	l.own = geodata.NewRanges(own[0], own[1])
	for grid := range len(grids()) {
		c := newClassifier(l, b.matchers, grids()[grid])
		if c.run(own) {
			return l, nil
		}
	}
	return nil, fmt.Errorf("compile locations: more than %d million pairs of a region and a site", maxCells/1_000_000)
}

// familyOf numbers the families for lists that are kept by family.
func familyOf(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}
