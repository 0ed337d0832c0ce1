package gslb

import (
	"math"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"

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

// locations maps every client address to a region: a prefix inside which all clients are at the same spot.
//
// The prefixes of the document overlap (the longest wins), so the table holds a disjoint cover of the address space
// instead: looking an address up gives its spot and, as the length of the prefix that matched, how much of the address
// the result depended on. That length is the truthful scope of RFC 7871 section 7.2.1.
type locations struct {
	regions bart.Table[uint32] // index into closeness; 0 is "nowhere"
	// closeness holds, by region's spot and site, how close the site is: greater is closer, 0 is unknown.
	closeness [][]uint32
}

// region is what decisions need to know about the clients of a range of addresses.
type region struct {
	number    uint32   // of the region in its table
	closeness []uint32 // by site: greater is closer, 0 is unknown; equals tie
	matches   []uint64 // bits: the client matchers that these clients satisfy
}

// satisfies reports whether the region's clients satisfy a matcher.
func (r *region) satisfies(matcher int) bool {
	return matcher/64 < len(r.matches) && r.matches[matcher/64]&(1<<(matcher%64)) != 0
}

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

// build compiles the locations.
func (b *locationBuilder) build(doc *config.Document, _ *geodata.Table, sites []site) (*locations, error) {
	return compileLocations(doc.Locations, sites), nil
}

// spot returns where a client is, and the prefix length that it is valid for.
func (l *locations) spot(client netip.Addr) (spot, int) {
	_, bits := l.lookup(client)
	return spot{}, bits
}

// find returns the region of a client and the prefix length that it is valid for; nil when nothing is known.
func (l *locations) find(client netip.Addr) (*region, int) {
	row, bits := l.lookup(client)
	if row == nil {
		return nil, bits
	}
	return &region{closeness: row}, bits
}

// lookup returns the closeness row of the client's spot and the prefix length it is valid for. The row is nil when the
// client's place is not known.
func (l *locations) lookup(client netip.Addr) (row []uint32, bits int) {
	if len(l.closeness) == 0 {
		return nil, 0
	}
	prefix, spot, ok := l.regions.LookupPrefixLPM(netip.PrefixFrom(client, client.BitLen()))
	if !ok {
		return nil, 0
	}
	return l.closeness[spot], prefix.Bits()
}

func compileLocations(in []config.Location, sites []site) *locations {
	out := &locations{}
	if len(in) == 0 {
		return out
	}
	out.closeness = append(out.closeness, nil)
	var v4, v6 bitTrie
	for i := range in {
		s := newSpot(in[i].Place, in[i].Latitude, in[i].Longitude)
		out.closeness = append(out.closeness, closenessRow(s, sites))
		p := in[i].Prefix
		if p.Addr().Is4() {
			v4.insert(p, uint32(i+1))
		} else {
			v6.insert(p, uint32(i+1))
		}
	}
	v4.cover(netip.PrefixFrom(netip.IPv4Unspecified(), 0), out.regions.Insert)
	v6.cover(netip.PrefixFrom(netip.IPv6Unspecified(), 0), out.regions.Insert)
	return out
}

// Closeness packs the rule "most specific place match, else least great-circle distance" in one number: bit 31 and the
// match depth above, nearness below. Equal depth is settled by distance where both have coordinates.
const (
	depthShift  = 24
	matchedBit  = 1 << 31
	nearnessMax = 1<<depthShift - 1 // in units of 10 m; half the equator is 2,003,750 of them
)

func closenessRow(client spot, sites []site) []uint32 {
	row := make([]uint32, len(sites))
	for i := range sites {
		row[i] = closeness(client, sites[i].spot)
	}
	return row
}

func closeness(client, site spot) uint32 {
	var c uint32
	if client.located && site.located {
		c = nearnessMax - uint32(greatCircleMetres(client, site)/10)
	}
	if depth := matchDepth(client.qualifiers, site.qualifiers); depth > 0 {
		c |= matchedBit | uint32(depth)<<depthShift
	}
	return c
}

// matchDepth counts the leading qualifiers that two places share.
func matchDepth(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// splitCloseness is the reverse of closeness, for explanations: match depth, and distance in kilometres (negative when
// it is not known).
func splitCloseness(c uint32) (depth int, km float64) {
	if c&matchedBit != 0 {
		depth = int(c &^ matchedBit >> depthShift)
	}
	near := c & nearnessMax
	if near == 0 {
		return depth, -1
	}
	return depth, float64(nearnessMax-near) / 100
}

// greatCircleMetres is the haversine distance on a sphere of the mean earth radius.
func greatCircleMetres(a, b spot) float64 {
	const earthRadius = 6371008.8
	dlat, dlon := b.lat-a.lat, b.lon-a.lon
	h := math.Pow(math.Sin(dlat/2), 2) + math.Cos(a.lat)*math.Cos(b.lat)*math.Pow(math.Sin(dlon/2), 2)
	return 2 * earthRadius * math.Asin(math.Min(1, math.Sqrt(h)))
}
