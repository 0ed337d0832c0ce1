package geodata

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// MaxQualifiers is how many qualifiers a place has: continent, country, region, city, ISP and organisation, as NetScaler
// names them in the geographic context.
const MaxQualifiers = 6

// The qualifiers of a geographic place.
const (
	Continent = iota
	Country
	Region
	City
	ISP
	Organisation
)

const (
	// MaxSpots is how many different spots a Table can hold.
	MaxSpots = 4_000_000
	// maxTextBytes bounds all qualifiers together, each counted once.
	maxTextBytes = 256 << 20
	// maxQualifier is the longest qualifier, in octets.
	maxQualifier = 255
)

// Unlocated is the Latitude of a Spot whose coordinates are not known.
const Unlocated = math.MinInt32

// Spot is where something is, by numbers. Qualifiers are numbers of texts of the Table (0: unknown); coordinates are
// millionths of a degree (WGS 84). Sources has a bit for each file, in the order of loading, that the spot comes from.
type Spot struct {
	Qualifiers          [MaxQualifiers]uint32
	Latitude, Longitude int32
	Sources             uint32
}

// Located reports whether the coordinates are known.
func (s *Spot) Located() bool { return s.Latitude != Unlocated }

// knowsGeography and knowsNetwork say which halves of a spot a file filled.
func (s *Spot) knowsGeography() bool {
	return s.Located() || s.Qualifiers[Continent]|s.Qualifiers[Country]|s.Qualifiers[Region]|s.Qualifiers[City] != 0
}

func (s *Spot) knowsNetwork() bool { return s.Qualifiers[ISP]|s.Qualifiers[Organisation] != 0 }

var (
	errTooManySpots = fmt.Errorf("more than %d different places", MaxSpots)
	errTooMuchText  = fmt.Errorf("more than %d MiB of names", maxTextBytes>>20)
	errCoordinates  = errors.New("coordinates outside -90 to 90 and -180 to 180 degrees")
)

// collection numbers spots and their texts while files are read.
type collection struct {
	spots   []Spot // the first is nowhere
	numbers spotNumbers
	texts   []string // the first is empty
	known   map[string]uint32
	octets  int
}

func newCollection() *collection {
	return &collection{spots: []Spot{{Latitude: Unlocated}}, numbers: newSpotNumbers(), texts: make([]string, 1), known: map[string]uint32{"": 0}}
}

// spot numbers a spot. One that says nothing is 0.
func (c *collection) spot(s Spot) (uint32, error) {
	if !s.knowsGeography() && !s.knowsNetwork() {
		return 0, nil
	}
	n, entry := c.numbers.find(&s, c.spots)
	if n != 0 {
		return n, nil
	}
	if len(c.spots) > MaxSpots {
		return 0, errTooManySpots
	}
	n = uint32(len(c.spots))
	c.spots = append(c.spots, s)
	c.numbers.add(entry, n)
	return n, nil
}

// text numbers a qualifier. Dots separate qualifiers, so those inside are left out: "St. Louis" is "St Louis".
func (c *collection) text(b []byte) (uint32, error) {
	if n, ok := c.known[string(b)]; ok {
		return n, nil
	}
	if len(b) > maxQualifier {
		return 0, fmt.Errorf("a name of %d octets; the limit is %d", len(b), maxQualifier)
	}
	raw := string(b)
	clean := strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(raw, ""), ".", ""))
	n, ok := c.known[clean]
	if !ok {
		if c.octets += len(clean); c.octets > maxTextBytes {
			return 0, errTooMuchText
		}
		n = uint32(len(c.texts))
		c.texts = append(c.texts, clean)
		c.known[clean] = n
	}
	if raw != clean {
		if c.octets += len(raw); c.octets > maxTextBytes {
			return 0, errTooMuchText
		}
		c.known[raw] = n
	}
	return n, nil
}

// locate sets the coordinates of a spot, in degrees.
func (s *Spot) locate(lat, lon float64) error {
	if !(math.Abs(lat) <= 90 && math.Abs(lon) <= 180) {
		return errCoordinates
	}
	s.Latitude, s.Longitude = int32(math.Round(lat*1e6)), int32(math.Round(lon*1e6))
	return nil
}

// join numbers the spot that two files make together: geography and network are each from the first that knows it.
func (c *collection) join(a, b uint32) (uint32, error) {
	if a == 0 || b == 0 || a == b {
		return max(a, b), nil
	}
	x, y := c.spots[a], c.spots[b]
	took := false
	if !x.knowsGeography() && y.knowsGeography() {
		copy(x.Qualifiers[:ISP], y.Qualifiers[:ISP])
		x.Latitude, x.Longitude, took = y.Latitude, y.Longitude, true
	}
	if !x.knowsNetwork() && y.knowsNetwork() {
		copy(x.Qualifiers[ISP:], y.Qualifiers[ISP:])
		took = true
	}
	if !took {
		return a, nil
	}
	x.Sources |= y.Sources
	return c.spot(x)
}
