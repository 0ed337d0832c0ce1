package gslb

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"fairlead/config/geodata"
)

// maxCells bounds the closeness that is kept: regions times sites. Where places are so many that there would be more, they
// are rounded to a grid.
const maxCells = 64_000_000

// grids returns what coordinates are rounded to, in degrees, one after the other; 0: they are not.
func grids() []float64 { return []float64{0, 0.25, 1, 5} }

// classifier finds the clients that decisions cannot tell apart.
type classifier struct {
	l        *locations
	matchers []clientMatcher
	patterns [][]wordPlace // of the matchers' places
	grid     float64

	rows    map[string]uint32 // numbers of rows, by their content
	kept    [][]uint32        // rows; the first is nil: the place is not known
	classes map[string]uint32 // numbers of classes, by row and place matches
	list    []class           // the first is nowhere
	numbers map[[2]uint32]uint32
	regions map[string]uint32 // numbers of regions, by row and matches
	sets    prefixSets
	row     []uint32 // memory to work in, as the next two
	sorted  []uint32
	key     []byte
	recent  []recentSpot
}

// recentSpots is how many spots a classifier remembers: files have many that the document cannot tell apart, by the names of
// networks or, on a grid, by coordinates.
const recentSpots = 1 << 14

// recentSpot is a spot and its class; class 0: none.
type recentSpot struct {
	place    wordPlace
	lat, lon float64
	located  bool
	class    uint32
}

func hashOfSpot(place *wordPlace, at spot) uint64 {
	h := math.Float64bits(at.lat)*31 + math.Float64bits(at.lon)
	for _, w := range place.words {
		h = (h ^ h>>29) * golden
		h += uint64(w)
	}
	return h * golden >> 32
}

// class is spots with the same order of sites and the same place matches.
type class struct {
	row    uint32
	places []uint64 // bits: matchers whose places match
}

func newClassifier(l *locations, matchers []clientMatcher, grid float64) *classifier {
	c := &classifier{
		l: l, matchers: matchers, grid: grid * math.Pi / 180,
		rows: map[string]uint32{}, kept: make([][]uint32, 1), classes: map[string]uint32{}, list: make([]class, 1),
		numbers: map[[2]uint32]uint32{}, regions: map[string]uint32{}, row: make([]uint32, len(l.sites)),
		sorted: make([]uint32, 0, len(l.sites)), recent: make([]recentSpot, recentSpots),
	}
	for i := range matchers {
		var patterns []wordPlace
		for _, p := range matchers[i].places {
			patterns = append(patterns, l.words.place(strings.Split(strings.ToLower(p), ".")))
		}
		c.patterns = append(c.patterns, patterns)
	}
	return c
}

// run makes the regions. It reports false when they are too many.
func (c *classifier) run(own [2][]geodata.Span) bool {
	ownClass := make([]uint32, len(c.l.ownSpots))
	for i := 1; i < len(ownClass); i++ {
		ownClass[i] = c.class(c.l.words.place(c.l.ownSpots[i].qualifiers), c.l.ownSpots[i])
	}
	geoClass := c.geoClasses()
	if geoClass == nil && c.l.geo != nil {
		return false
	}
	c.l.regions = nil
	c.region(0, 0)
	var all [2][]geodata.Span
	for f := range all {
		mine := make([]geodata.Span, 0, len(own[f]))
		for _, s := range own[f] {
			mine = geodata.AppendSpan(mine, geodata.Span{First: s.First, Last: s.Last, Value: ownClass[s.Value]})
		}
		first := func(a, b uint32) uint32 {
			if a != 0 {
				return a
			}
			return b
		}
		classes := geodata.Overlay(mine, c.geoSpans(f, geoClass), first)
		all[f] = geodata.Overlay(classes, c.sets.spans(c.matchers, f), c.region)
	}
	c.l.ranges = geodata.NewRanges(all[0], all[1])
	return len(c.kept)*len(c.l.sites) <= maxCells
}

// geoClasses numbers the class of every spot of the table; nil when there are too many or no table.
func (c *classifier) geoClasses() []uint32 {
	if c.l.geo == nil {
		return nil
	}
	texts := c.l.words.texts(c.l.geo)
	out := make([]uint32, c.l.geo.Spots())
	for i := 1; i < len(out); i++ {
		s := c.l.geo.Spot(uint32(i))
		out[i] = c.class(wordsOf(s, texts), coordinatesOf(s))
		if len(c.kept)*len(c.l.sites) > maxCells {
			return nil
		}
	}
	return out
}

// geoSpans returns the spans of the table by class.
func (c *classifier) geoSpans(family int, classes []uint32) []geodata.Span {
	if c.l.geo == nil {
		return nil
	}
	ranges := c.l.geo.Ranges()
	spans, most := ranges.Spans4(), ranges.Len4()
	if family == 1 {
		spans, most = ranges.Spans6(), ranges.Len()-ranges.Len4()
	}
	out := make([]geodata.Span, 0, most)
	for s := range spans {
		out = geodata.AppendSpan(out, geodata.Span{First: s.First, Last: s.Last, Value: classes[s.Value]})
	}
	return out
}

// class numbers the class of a spot.
func (c *classifier) class(place wordPlace, at spot) uint32 {
	if c.grid > 0 && at.located {
		at.lat, at.lon = math.Round(at.lat/c.grid)*c.grid, math.Round(at.lon/c.grid)*c.grid
	}
	slot := &c.recent[hashOfSpot(&place, at)%recentSpots]
	if slot.class == 0 || slot.place != place || slot.lat != at.lat || slot.lon != at.lon || slot.located != at.located {
		*slot = recentSpot{place, at.lat, at.lon, at.located, c.newClass(place, at)}
	}
	return slot.class
}

// newClass is class for a spot that was not met just before.
func (c *classifier) newClass(place wordPlace, at spot) uint32 {
	toward := directionOf(at)
	for i := range c.l.sites {
		s, metres := &c.l.sites[i], -1.0
		if at.located && s.at.located {
			metres = toward.metres(&s.toward)
		}
		c.row[i] = packCloseness(c.l.words.depth(&place, &s.wordPlace), metres)
	}
	rank(c.row, c.sorted)
	key := c.key[:0]
	for _, r := range c.row {
		key = binary.LittleEndian.AppendUint32(key, r)
	}
	row, ok := c.rows[string(key)]
	if !ok {
		row = uint32(len(c.kept))
		c.kept = append(c.kept, slices.Clone(c.row))
		c.rows[string(key)] = row
	}
	places := c.placeMatches(&place)
	key = appendKey(key[:0], row, places)
	n, ok := c.classes[string(key)]
	if !ok {
		n = uint32(len(c.list))
		c.list = append(c.list, class{row, places})
		c.classes[string(key)] = n
	}
	c.key = key
	return n
}

// placeMatches returns the matchers of which a place satisfies a pattern; nil: none.
func (c *classifier) placeMatches(place *wordPlace) (out []uint64) {
	for i := range c.patterns {
		for j := range c.patterns[i] {
			if place.matches(&c.patterns[i][j]) {
				out = setBit(out, i, len(c.matchers))
				break
			}
		}
	}
	return out
}

// region numbers the region of the clients of a class in a set of prefixes.
func (c *classifier) region(of, set uint32) uint32 {
	if n, ok := c.numbers[[2]uint32{of, set}]; ok {
		return n
	}
	k, inside := &c.list[of], c.sets.list(set)
	var matches []uint64
	for i := range c.matchers {
		m := &c.matchers[i]
		if (len(m.prefixes) == 0 || bit(inside, i)) && (len(m.places) == 0 || bit(k.places, i)) {
			matches = setBit(matches, i, len(c.matchers))
		}
	}
	key := string(appendKey(nil, k.row, matches))
	n, ok := c.regions[key]
	if !ok {
		n = uint32(len(c.l.regions))
		r := &region{number: n, closeness: c.kept[k.row], matches: matches}
		if k.row == 0 && matches == nil {
			r = nil
		}
		c.l.regions = append(c.l.regions, r)
		c.regions[key] = n
	}
	c.numbers[[2]uint32{of, set}] = n
	return n
}

// appendKey appends what a class or a region is known by.
func appendKey(key []byte, row uint32, bits []uint64) []byte {
	key = binary.LittleEndian.AppendUint32(key, row)
	for _, w := range bits {
		key = binary.LittleEndian.AppendUint64(key, w)
	}
	return key
}

func bit(words []uint64, i int) bool { return i/64 < len(words) && words[i/64]&(1<<(i%64)) != 0 }

// setBit sets one of most bits, making room for all of them at the first.
func setBit(words []uint64, i, most int) []uint64 {
	if words == nil {
		words = make([]uint64, (most+63)/64)
	}
	words[i/64] |= 1 << (i % 64)
	return words
}
