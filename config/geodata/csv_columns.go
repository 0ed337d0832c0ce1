package geodata

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// column is what a column of a text file means. The first ones are the qualifiers.
type column uint8

const (
	isContinent column = iota
	isCountry
	isRegion
	isCity
	isISP
	isOrganisation
	isSkipped
	isLatitude
	isLongitude
)

// layout is what follows the two addresses in the lines of a format.
type layout struct {
	columns []column
	// least is how many of them there must be; the rest may be left out.
	least int
	// numbered says that the two addresses may follow as numbers.
	numbered bool
	is6      bool // all addresses are IPv6; else all are IPv4
}

// layoutOf returns the layout of a NetScaler format whose lines all have the same meaning. The order of columns is that of
// NetScaler's documentation (CTX235799) and of MaxMind's former CSV files.
func layoutOf(f Format) (layout, bool) {
	city := []column{isCountry, isRegion, isCity, isSkipped /* postal code */, isLatitude, isLongitude, isSkipped /* metro code */, isSkipped /* area code */}
	switch f {
	case IPCountry:
		return layout{columns: []column{isCountry, isSkipped /* its long name */}, least: 1}, true
	case IPCountryISP:
		return layout{columns: []column{isCountry, isSkipped, isISP}, least: 3}, true
	case IPCountryRegionCity:
		return layout{columns: []column{isCountry, isSkipped, isRegion, isCity}, least: 4}, true
	case IPCountryRegionCityIS:
		return layout{columns: []column{isCountry, isSkipped, isRegion, isCity, isISP}, least: 5}, true
	case GeoIPCountry, GeoIPCountry6:
		return layout{columns: []column{isCountry, isSkipped}, least: 1, numbered: true, is6: f == GeoIPCountry6}, true
	case GeoIPRegion:
		return layout{columns: []column{isCountry, isRegion}, least: 2, numbered: true}, true
	case GeoIPCity:
		return layout{columns: city, least: 6, numbered: true}, true
	case GeoIPCountryOrg:
		return layout{columns: []column{isCountry, isOrganisation}, least: 2, numbered: true}, true
	case GeoIPCountryISP:
		return layout{columns: []column{isCountry, isISP}, least: 2, numbered: true}, true
	case GeoIPCityISPOrg:
		return layout{columns: append(city, isISP, isOrganisation), least: 10, numbered: true}, true
	}
	return layout{}, false
}

var (
	errOrder  = errors.New("the range ends before it begins")
	errFamily = errors.New("the two addresses are of different families")
)

// columns reads a text file in one of NetScaler's formats.
func (r *reader) columns(f File) error {
	if f.Format == NetScaler || f.Format == NetScaler6 {
		return r.netscaler(f)
	}
	how, ok := layoutOf(f.Format)
	if !ok {
		return &FileError{Path: f.Path, Err: fmt.Errorf("unknown format %q", f.Format)}
	}
	return r.eachLine(f.Path, func(line []byte, l *lines) error {
		columns, err := l.split(line)
		if err != nil {
			return err
		}
		return r.row(columns, &how)
	})
}

// row takes in a line: two addresses, and what a layout says of the rest.
func (r *reader) row(columns [][]byte, how *layout) error {
	if len(columns) < 2 {
		return fmt.Errorf("%d columns; the format begins with two addresses", len(columns))
	}
	from, to, err := addresses(columns[0], columns[1], how.is6)
	if err != nil {
		return err
	}
	rest := columns[2:]
	if how.numbered && len(rest) >= 2 && number(rest[0]) && number(rest[1]) {
		rest = rest[2:]
	}
	if len(rest) < how.least || len(rest) > len(how.columns) {
		return fmt.Errorf("%d columns after the addresses; the format has %d: is it the right format?", len(rest), len(how.columns))
	}
	spot, err := r.spotOf(rest, how.columns)
	if err != nil {
		return err
	}
	return r.add(from.Is4(), KeyOf(from), KeyOf(to), spot)
}

// spotOf makes a spot of columns.
func (r *reader) spotOf(columns [][]byte, meaning []column) (uint32, error) {
	s := Spot{Latitude: Unlocated, Sources: r.source}
	var lat, lon []byte
	for i, value := range columns {
		switch meaning[i] {
		case isSkipped:
		case isLatitude:
			lat = value
		case isLongitude:
			lon = value
		default:
			if meaning[i] == isCountry && !countryCode(value) {
				return 0, fmt.Errorf("%q is no country code of two letters: is it the right format?", shortened(value))
			}
			if err := r.qualify(&s, int(meaning[i]), value); err != nil {
				return 0, err
			}
		}
	}
	if err := coordinates(&s, lat, lon); err != nil {
		return 0, err
	}
	if err := r.addContinent(&s); err != nil {
		return 0, err
	}
	return r.data.spot(s)
}

// qualify sets a qualifier. A dash is what IP2Location writes for nothing.
func (r *reader) qualify(s *Spot, which int, value []byte) error {
	if len(value) == 0 || len(value) == 1 && value[0] == '-' {
		return nil
	}
	n, err := r.data.text(value)
	s.Qualifiers[which] = n
	return err
}

// addContinent derives the continent from the country where the file has none.
func (r *reader) addContinent(s *Spot) (err error) {
	if s.Qualifiers[Continent] == 0 && s.Qualifiers[Country] != 0 {
		if name, ok := r.continents[strings.ToUpper(r.data.texts[s.Qualifiers[Country]])]; ok {
			s.Qualifiers[Continent], err = r.data.text([]byte(name))
		}
	}
	return err
}

// coordinates sets what is there: both or none.
func coordinates(s *Spot, lat, lon []byte) error {
	if len(lat) == 0 && len(lon) == 0 {
		return nil
	}
	north, err := strconv.ParseFloat(string(lat), 64)
	if err != nil {
		return fmt.Errorf("latitude %q is not a number", shortened(lat))
	}
	east, err := strconv.ParseFloat(string(lon), 64)
	if err != nil {
		return fmt.Errorf("longitude %q is not a number", shortened(lon))
	}
	return s.locate(north, east)
}

// addresses reads the ends of a range.
func addresses(a, b []byte, is6 bool) (from, to netip.Addr, err error) {
	if from, err = address(a); err != nil {
		return from, to, err
	}
	if to, err = address(b); err != nil {
		return from, to, err
	}
	switch {
	case from.Is4() != to.Is4():
		return from, to, errFamily
	case from.Is4() == is6:
		return from, to, fmt.Errorf("%s is not of the format's family: formats with a 6 are for IPv6, the others for IPv4", from)
	case to.Less(from):
		return from, to, errOrder
	}
	return from, to, nil
}

// address reads an address, or an IPv4 address as a number.
func address(b []byte) (netip.Addr, error) {
	if number(b) {
		n, err := strconv.ParseUint(string(b), 10, 32)
		if err == nil {
			return Key{Lo: n}.Addr(true), nil
		}
	}
	a, err := netip.ParseAddr(string(b))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q is not an address", shortened(b))
	}
	return a, nil
}

func number(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

func countryCode(b []byte) bool {
	if len(b) == 2 {
		for _, c := range b {
			if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return false
			}
		}
		return true
	}
	return len(b) == 0 || len(b) == 1 && (b[0] == '-' || b[0] == '*')
}

// shortened keeps messages about hostile files short.
func shortened(b []byte) string {
	const most = 40
	if len(b) > most {
		return string(b[:most]) + "…"
	}
	return string(b)
}
