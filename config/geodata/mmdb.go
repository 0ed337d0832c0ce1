package geodata

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/oschwald/geoip2-golang/v2"
	"github.com/oschwald/maxminddb-golang/v2"
)

// maxWays bounds how often a leaf of the search tree is met. An IPv6 tree leads to its IPv4 part by three more ways; a tree
// with more of them would never end.
const maxWays = 5

var (
	// errMalformed stands before the cause when a MaxMind DB file is damaged.
	errMalformed = errors.New("the file is damaged or cut off")
	errTangled   = fmt.Errorf("%w: many ways lead to the same part of its tree", errMalformed)
)

// databaseKind is what a MaxMind DB file tells.
type databaseKind uint8

const (
	tellsCity databaseKind = iota
	tellsCountry
	tellsASN
	tellsISP
	tellsAll // city and ISP
)

func kindOf(databaseType string) (databaseKind, error) {
	for _, k := range []struct {
		word string
		kind databaseKind
	}{{"Enterprise", tellsAll}, {"City", tellsCity}, {"Country", tellsCountry}, {"ASN", tellsASN}, {"ISP", tellsISP}} {
		if strings.Contains(databaseType, k.word) {
			return k.kind, nil
		}
	}
	return 0, fmt.Errorf("its type is %q; City, Country, Enterprise, ASN and ISP are understood", shortened([]byte(databaseType)))
}

// database reads a MaxMind DB file.
func (r *reader) database(path string, info *FileInfo) error {
	err := r.networks(path, info)
	if err != nil && r.ctx.Err() == nil {
		return &FileError{Path: path, Err: plain(err)}
	}
	return err
}

func (r *reader) networks(path string, info *FileInfo) error {
	octets, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	db, err := maxminddb.OpenBytes(octets)
	if err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	kind, err := kindOf(db.Metadata.DatabaseType)
	if err != nil {
		return err
	}
	info.Built = db.Metadata.BuildTime().UTC()
	spots := map[uintptr]uint32{}                              // by where the data is: many networks share it
	visited, most := 0, maxWays*(int(db.Metadata.NodeCount)+1) // a tree has one leaf more than nodes
	for result := range db.Networks(maxminddb.IncludeAliasedNetworks(), maxminddb.IncludeNetworksWithoutData()) {
		if err := result.Err(); err != nil {
			return fmt.Errorf("%w: %w", errMalformed, err)
		}
		if visited++; visited > most {
			return errTangled
		}
		if visited%stopEvery == 0 && r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		if !result.Found() || alias(result.Prefix()) {
			continue
		}
		if err := r.network(result, kind, spots); err != nil {
			return err
		}
	}
	return nil
}

// network takes in one network.
func (r *reader) network(result maxminddb.Result, kind databaseKind, spots map[uintptr]uint32) error {
	spot, ok := spots[result.Offset()]
	if !ok {
		s, err := r.decode(result, kind)
		if err != nil {
			return err
		}
		if spot, err = r.data.spot(s); err != nil {
			return err
		}
		spots[result.Offset()] = spot
	}
	p := result.Prefix()
	first, last := PrefixRange(p)
	return r.add(p.Addr().Is4(), first, last, spot)
}

// alias reports whether a network is another way into the IPv4 part of the tree: IPv4-mapped, Teredo or 6to4 addresses.
func alias(p netip.Prefix) bool {
	a := p.Addr()
	if a.Is4() {
		return false
	}
	b := a.As16()
	return a.Is4In6() || p.Bits() >= 32 && [4]byte(b[:4]) == [4]byte{0x20, 0x01} || p.Bits() >= 16 && [2]byte(b[:2]) == [2]byte{0x20, 0x02}
}

// decode reads the data of a network.
func (r *reader) decode(result maxminddb.Result, kind databaseKind) (Spot, error) {
	s := Spot{Latitude: Unlocated, Sources: r.source}
	var words [MaxQualifiers]string
	var at geoip2.Location
	var err error
	switch kind {
	case tellsCity:
		var c geoip2.City
		err = result.Decode(&c)
		words = [MaxQualifiers]string{c.Continent.Code, country(c.Country, c.RegisteredCountry), "", c.City.Names.English}
		if len(c.Subdivisions) > 0 {
			words[Region] = c.Subdivisions[0].ISOCode
		}
		at = c.Location
	case tellsAll:
		var e geoip2.Enterprise
		err = result.Decode(&e)
		words = [MaxQualifiers]string{e.Continent.Code, e.Country.ISOCode, "", e.City.Names.English, e.Traits.ISP, e.Traits.Organization}
		if len(e.Subdivisions) > 0 {
			words[Region] = e.Subdivisions[0].ISOCode
		}
		at = e.Location
	case tellsCountry:
		var c geoip2.Country
		err = result.Decode(&c)
		words = [MaxQualifiers]string{c.Continent.Code, country(c.Country, c.RegisteredCountry)}
	case tellsASN:
		var a geoip2.ASN
		err = result.Decode(&a)
		words[ISP] = a.AutonomousSystemOrganization
		if a.AutonomousSystemNumber > 0 {
			words[Organisation] = fmt.Sprintf("AS%d", a.AutonomousSystemNumber)
		}
	case tellsISP:
		var i geoip2.ISP
		err = result.Decode(&i)
		words[ISP], words[Organisation] = i.ISP, i.Organization
	}
	if err != nil {
		return s, fmt.Errorf("%w: data of %s: %w", errMalformed, result.Prefix(), err)
	}
	return s, r.describe(&s, words, &at)
}

// describe fills a spot with words and coordinates.
func (r *reader) describe(s *Spot, words [MaxQualifiers]string, at *geoip2.Location) error {
	for i, w := range words {
		if err := r.qualify(s, i, []byte(w)); err != nil {
			return err
		}
	}
	if at.HasCoordinates() {
		if err := s.locate(*at.Latitude, *at.Longitude); err != nil {
			return err
		}
	}
	return r.addContinent(s)
}

// country is where the client is, else where its network is registered.
func country(of, registered geoip2.CountryRecord) string {
	if of.ISOCode != "" {
		return of.ISOCode
	}
	return registered.ISOCode
}
