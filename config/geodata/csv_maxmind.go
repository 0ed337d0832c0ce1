package geodata

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
)

var (
	errNoLocations = errors.New("the file names places by number: add locations: with the file that says which they are (…-Locations-en.csv)")
	errNotBlocks   = errors.New(`the first line names no column "network": this is not a file of blocks (…-Blocks-IPv4.csv)`)
	errNotPlaces   = errors.New(`the first line names no column "geoname_id": this is not a file of locations (…-Locations-en.csv)`)
)

// places is the qualifiers, continent to city, by MaxMind's number of a place.
type places map[uint32][ISP]uint32

// heading finds columns by the names in the first line.
type heading map[string]int

func newHeading(columns [][]byte) heading {
	h := heading{}
	for i, c := range columns {
		h[string(c)] = i
	}
	return h
}

// of returns a column of a line; nothing where the file has none of that name.
func (h heading) of(name string, columns [][]byte) []byte {
	if i, ok := h[name]; ok {
		return columns[i]
	}
	return nil
}

// maxmind reads a file of blocks: places (city, country) or networks (ASN, ISP).
func (r *reader) maxmind(f File) error {
	var known places
	if f.Locations != "" {
		var err error
		if known, err = r.places(f.Locations); err != nil {
			return err
		}
	}
	var head heading
	return r.eachLine(f.Path, func(line []byte, l *lines) error {
		columns, err := l.split(line)
		if err != nil {
			return err
		}
		if head == nil {
			head = newHeading(columns)
			if _, ok := head["network"]; !ok {
				return errNotBlocks
			}
			if _, ok := head["geoname_id"]; ok && known == nil {
				return errNoLocations
			}
			return nil
		}
		if len(columns) != len(head) {
			return fmt.Errorf("%d columns; the first line has %d", len(columns), len(head))
		}
		return r.block(columns, head, known, base(f.Locations))
	})
}

// block takes in a line of a file of blocks.
func (r *reader) block(columns [][]byte, head heading, known places, locations string) error {
	p, err := netip.ParsePrefix(string(head.of("network", columns)))
	if err != nil || p.Addr().Is4In6() {
		return fmt.Errorf("%q is not a prefix", shortened(head.of("network", columns)))
	}
	s := Spot{Latitude: Unlocated, Sources: r.source}
	id := head.of("geoname_id", columns)
	if len(id) == 0 {
		id = head.of("registered_country_geoname_id", columns)
	}
	if len(id) > 0 {
		n, err := strconv.ParseUint(string(id), 10, 32)
		if err != nil {
			return fmt.Errorf("geoname_id %q is not a number", shortened(id))
		}
		place, ok := known[uint32(n)]
		if !ok {
			return fmt.Errorf("geoname_id %d is not in %s: are both files of one release?", n, locations)
		}
		copy(s.Qualifiers[:], place[:])
	}
	if err := coordinates(&s, head.of("latitude", columns), head.of("longitude", columns)); err != nil {
		return err
	}
	isp, organisation := head.of("isp", columns), head.of("organization", columns)
	if len(isp) == 0 {
		isp = head.of("autonomous_system_organization", columns)
	}
	if as := head.of("autonomous_system_number", columns); len(organisation) == 0 && len(as) > 0 {
		organisation = append([]byte("AS"), as...)
	}
	if err := errors.Join(r.qualify(&s, ISP, isp), r.qualify(&s, Organisation, organisation)); err != nil {
		return err
	}
	spot, err := r.data.spot(s)
	if err != nil {
		return err
	}
	first, last := PrefixRange(p)
	return r.add(p.Addr().Is4(), first, last, spot)
}

// places reads a file of locations.
func (r *reader) places(path string) (places, error) {
	out := places{}
	var head heading
	err := r.eachLine(path, func(line []byte, l *lines) error {
		columns, err := l.split(line)
		if err != nil {
			return err
		}
		if head == nil {
			head = newHeading(columns)
			if _, ok := head["geoname_id"]; !ok {
				return errNotPlaces
			}
			return nil
		}
		if len(columns) != len(head) {
			return fmt.Errorf("%d columns; the first line has %d", len(columns), len(head))
		}
		id, err := strconv.ParseUint(string(head.of("geoname_id", columns)), 10, 32)
		if err != nil {
			return fmt.Errorf("geoname_id %q is not a number", shortened(head.of("geoname_id", columns)))
		}
		var s Spot
		for i, name := range []string{"continent_code", "country_iso_code", "subdivision_1_iso_code", "city_name"} {
			if err := r.qualify(&s, i, head.of(name, columns)); err != nil {
				return err
			}
		}
		if len(out) >= MaxSpots {
			return errTooManySpots
		}
		out[uint32(id)] = [ISP]uint32(s.Qualifiers[:ISP])
		return nil
	})
	return out, err
}
