package config

import (
	"net/netip"
	"strings"
)

// maxQualifiers is how many dotted parts a place has at most.
const maxQualifiers = 6

func (c *checker) checkSites() {
	if len(c.doc.Sites) == 0 {
		c.problem(at("sites"), codeEmptyList, "list every site, the local one included", "there are no sites")
	}
	seen := make(map[string]int, len(c.doc.Sites))
	for i := range c.doc.Sites {
		s := &c.doc.Sites[i]
		path := at("sites", i)
		c.checkPlace(path+"/location/place", s.Location.Place)
		c.checkCoordinates(path+"/location", s.Location.Latitude, s.Location.Longitude)
		if s.Address == "" {
			if !s.Foreign && !c.page.failed[path+"/address"] {
				c.problem(path, codeSiteAddress, "add address: host or host:port, or foreign: true when no node is there", "site %s has no address", quote(s.Name))
			}
			continue
		}
		if _, _, err := splitSiteAddress(s.Address); err != nil {
			c.problem(path+"/address", codeSiteAddress, "write host or host:port", "%v", err)
			continue
		}
		if first, taken := seen[s.Endpoint()]; taken {
			c.problem(path+"/address", codeDuplicateSiteAddress, c.firstAt(at("sites", first, "address")), "site %s has the same address, %s",
				quote(c.doc.Sites[first].Name), s.Endpoint())
			continue
		}
		seen[s.Endpoint()] = i
	}
}

func (c *checker) checkPlace(path, place string) {
	if place == "" {
		return
	}
	parts := strings.Split(place, ".")
	if len(parts) > maxQualifiers {
		c.problem(path, codePlace, "", "a place has at most %d parts, this one %d", maxQualifiers, len(parts))
	}
	for _, part := range parts {
		if strings.TrimSpace(part) == "" || len(part) > MaxNameLength {
			c.problem(path, codePlace, "write widest first: EU.NL.NH.Amsterdam", "%s has an empty or overlong part", quote(place))
			return
		}
		if strings.Contains(part, "*") && part != "*" {
			c.problem(path, codePlace, "a * stands for a whole part: EU.*.NH", "%s has a * inside a part", quote(place))
			return
		}
	}
}

func (c *checker) checkCoordinates(path string, latitude, longitude *float64) {
	if (latitude == nil) == (longitude == nil) || c.page.failed[path+"/latitude"] || c.page.failed[path+"/longitude"] {
		return
	}
	have, lack := "latitude", "longitude"
	if latitude == nil {
		have, lack = lack, have
	}
	c.problem(path+"/"+have, codeCoordinates, "add "+lack+":", "%s without %s", have, lack)
}

func (c *checker) checkLocations() {
	c.limit(at("locations"), "locations", len(c.doc.Locations), MaxLocations)
	seen := make(map[netip.Prefix]int, len(c.doc.Locations))
	for i := range c.doc.Locations {
		l := &c.doc.Locations[i]
		path := at("locations", i)
		c.checkPlace(path+"/place", l.Place)
		c.checkCoordinates(path, l.Latitude, l.Longitude)
		if l.Place == "" && l.Latitude == nil && l.Longitude == nil {
			c.problem(path+"/prefix", codePlace, "add place:, or latitude: and longitude:", "the location says nothing about %s", l.Prefix)
		}
		if !l.Prefix.IsValid() {
			continue // not decoded, and reported so
		}
		switch masked := l.Prefix.Masked(); {
		case l.Prefix.Addr().Is4In6():
			c.problem(path+"/prefix", codePrefix, "write it as an IPv4 prefix", "%s is an IPv4 prefix in IPv6 form", l.Prefix)
			continue
		case masked != l.Prefix:
			c.problem(path+"/prefix", codeHostBits, "did you mean "+quote(masked.String())+"?", "%s has bits set after the first %d", l.Prefix, l.Prefix.Bits())
		}
		if first, taken := seen[l.Prefix]; taken {
			c.problem(path+"/prefix", codeDuplicateLocation, c.firstAt(at("locations", first, "prefix")), "%s has a place already", l.Prefix)
			continue
		}
		seen[l.Prefix] = i
	}
}
