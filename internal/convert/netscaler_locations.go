package convert

import (
	"net/netip"
	"strconv"
	"strings"
)

// placeRange is where a range of addresses is.
type placeRange struct {
	from, to            netip.Addr
	place               string
	latitude, longitude number
}

// maxRangePrefixes is how many prefixes one range of addresses becomes at most: as many as any IPv4 range needs.
const maxRangePrefixes = 64

// collectLocations reads the custom locations.
func (n *netscaler) collectLocations() {
	taken := map[netip.Prefix]int{}
	for _, o := range n.store.table("location").list {
		r, ok := n.placeRange(o)
		if !ok {
			continue
		}
		prefixes, ok := rangePrefixes(r.from, r.to)
		if !ok {
			n.found.add(Left, o.line, o.text, "it would be more than %d prefixes: put it into a location file", maxRangePrefixes)
			continue
		}
		n.places = append(n.places, r)
		for _, p := range prefixes {
			if taken[p] != 0 {
				n.found.add(Left, o.line, o.text, "%s has the place of line %d already", p, taken[p])
				continue
			}
			taken[p] = o.line
			n.locations = append(n.locations, r.mapping("prefix", p.String()))
		}
	}
	for _, kind := range []string{"locationfile", "locationfile6"} {
		for _, o := range n.store.table(kind).list {
			n.locationFile(o)
		}
	}
}

func (n *netscaler) placeRange(o *object) (r placeRange, ok bool) {
	var err error
	if r.from, err = netip.ParseAddr(o.arg(0)); err == nil {
		r.to, err = netip.ParseAddr(o.arg(1))
	}
	if err != nil || r.from.Is4() != r.to.Is4() || r.to.Less(r.from) {
		n.found.add(Left, o.line, o.text, "it is no range of addresses")
		return r, false
	}
	if r.place, err = place(o.arg(2)); err != nil {
		n.found.add(Left, o.line, o.text, "%v", err)
		return r, false
	}
	r.latitude, r.longitude = degrees(o.value("latitude"), 90), degrees(o.value("longitude"), 180)
	if r.latitude == "" || r.longitude == "" {
		r.latitude, r.longitude = "", ""
	}
	if r.place == "" && r.latitude == "" {
		n.found.add(Left, o.line, o.text, "it says nothing about where the addresses are")
		return r, false
	}
	for _, p := range o.params {
		if !p.used && !isDefault(o.kind, p) {
			n.found.add(Left, p.line, o.text, "%s: %s", p.text(), withoutCounterpart(p))
		}
	}
	return r, true
}

func degrees(text string, most float64) number {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < -most || v > most {
		return ""
	}
	return number(strconv.FormatFloat(v, 'f', -1, 64))
}

// mapping writes a place, behind another key if there is one.
func (r *placeRange) mapping(pairs ...any) *mapping {
	m := inline(pairs...)
	if r.place != "" {
		m.set("place", r.place)
	}
	if r.latitude != "" {
		m.set("latitude", r.latitude)
		m.set("longitude", r.longitude)
	}
	return m
}

// locate is the location of an address; nil when the custom locations do not have it, or only in part.
func (n *netscaler) locate(a netip.Addr) *mapping {
	var best *placeRange
	for i := range n.places {
		r := &n.places[i]
		if a.Less(r.from) || r.to.Less(a) || a.Is4() != r.from.Is4() {
			continue
		}
		if best == nil || !r.from.Less(best.from) && !best.to.Less(r.to) {
			best = r
		}
	}
	if best == nil {
		return nil
	}
	return best.mapping()
}

// locationFile says how the node file names a location file.
func (n *netscaler) locationFile(o *object) {
	format := strings.ToLower(o.value("format"))
	if format == "" {
		format = strings.Replace(o.kind, "locationfile", "netscaler", 1)
	}
	name := o.arg(0)
	if strings.Contains(name, "InBuilt_GeoIP") {
		n.found.add(Left, o.line, o.text, "name a database in the node file: geoip: {databases: [/var/lib/geo/GeoLite2-City.mmdb]} (docs/locations.md)")
		return
	}
	if !strings.HasPrefix(name, "/") {
		name = "/var/netscaler/locdb/" + name
	}
	n.found.add(Left, o.line, o.text, "location files are named in the node file: geoip: {csv: [{file: %s, format: %s}]}", name, format)
}

// rangePrefixes takes a range of addresses apart. ok is false when it is too many prefixes.
func rangePrefixes(from, to netip.Addr) (out []netip.Prefix, ok bool) {
	for {
		if len(out) == maxRangePrefixes {
			return nil, false
		}
		length := from.BitLen()
		for length > 0 {
			wider := netip.PrefixFrom(from, length-1)
			if wider.Masked().Addr() != from || to.Less(lastOf(wider)) {
				break
			}
			length--
		}
		p := netip.PrefixFrom(from, length)
		out = append(out, p)
		last := lastOf(p)
		if !last.Less(to) {
			return out, true
		}
		from = last.Next()
	}
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < p.Addr().BitLen(); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
