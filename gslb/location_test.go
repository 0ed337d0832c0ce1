package gslb

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fairlead/config"
	"fairlead/config/geodata"
)

// geoTable makes a table of lines in NetScaler's format.
func geoTable(t testing.TB, lines ...string) *geodata.Table {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.csv")
	text := "NSGEO1.0\nContext=geographic\nStart\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := geodata.Load(context.Background(), []geodata.File{{Path: path, Format: geodata.NetScaler}})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// buildLocations compiles what a world says, with matchers.
func buildLocations(t testing.TB, w *world, geo *geodata.Table, matchers ...clientMatcher) *locations {
	t.Helper()
	var sites []site
	for i := range w.doc.Sites {
		s := &w.doc.Sites[i]
		sites = append(sites, site{name: s.Name, spot: newSpot(s.Location.Place, s.Location.Latitude, s.Location.Longitude)})
	}
	l, err := (&locationBuilder{matchers: matchers}).build(&w.doc, geo, sites)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRegionsOfLikeClientsAreOne(t *testing.T) {
	w := newWorld().site("ams", "EU.NL", 52.37, 4.89).site("nyc", "NA.US", 40.71, -74.01)
	geo := geoTable(t,
		"10.0.0.0,10.0.0.255,EU,NL,NH,Amsterdam,,,4.89,52.37", "10.0.1.0,10.0.1.255,EU,DE,HE,Frankfurt,,,8.68,50.11",
		"10.0.2.0,10.0.3.255,EU,FR,,,,,2.35,48.85", "10.0.4.0,10.0.7.255,NA,US,NY,,,,-74,41", "10.0.8.0,10.0.15.255,NA,CA,,,,,-79,43")
	l := buildLocations(t, w, geo)
	for _, c := range []struct {
		client string
		bits   int
		order  []uint32
	}{
		{"10.0.0.1", 22, []uint32{2, 1}}, {"10.0.3.200", 22, []uint32{2, 1}}, {"10.0.4.1", 22, []uint32{1, 2}},
		{"10.0.9.1", 21, []uint32{1, 2}}, {"10.0.16.0", 20, nil}, {"192.0.2.1", 1, nil}, {"2001:db8::1", 0, nil},
	} {
		r, bits := l.find(netip.MustParseAddr(c.client))
		var order []uint32
		if r != nil {
			order = r.closeness
		}
		if bits != c.bits || !slices.Equal(order, c.order) {
			t.Errorf("%s: got %v for /%d, want %v for /%d", c.client, order, bits, c.order, c.bits)
		}
	}
	if got := len(l.regions); got != 3 {
		t.Errorf("got %d regions, want 3: elsewhere, nearer to ams, nearer to nyc", got)
	}
}

func TestDocumentBeatsFiles(t *testing.T) {
	w := newWorld().site("ams", "EU.NL").site("nyc", "NA.US").location("10.0.0.0/8", "NA.US").location("10.1.0.0/16", "EU.NL")
	l := buildLocations(t, w, geoTable(t, "10.2.3.0,10.2.3.255,EU,NL,,,,,,", "11.0.0.0,11.255.255.255,EU,NL,,,,,,"))
	for client, want := range map[string]string{"10.2.3.4": "NA.US locations", "10.1.2.3": "EU.NL locations", "11.0.0.1": "EU.NL file.csv", "12.0.0.1": " "} {
		at := l.locate(netip.MustParseAddr(client))
		var source string
		if len(at.Sources) > 0 {
			source = filepath.Base(at.Sources[0])
		}
		if got := at.Place + " " + source; got != want {
			t.Errorf("%s: got %q, want %q", client, got, want)
		}
	}
	at := l.locate(netip.MustParseAddr("11.0.0.1"))
	if at.Sites[0] != (Nearness{Site: "ams", Depth: 2, Km: -1, Rank: 1}) || at.Sites[1].Rank != 0 {
		t.Errorf("got %+v", at.Sites)
	}
	if at.First != netip.MustParseAddr("11.0.0.0") || at.Last != netip.MustParseAddr("11.255.255.255") {
		t.Errorf("got %v to %v", at.First, at.Last)
	}
}

func TestWildcards(t *testing.T) {
	for _, c := range []struct {
		wildcards    config.WildcardMatch
		client, site string
		want         int
	}{
		{config.WildcardAny, "EU.NL.NH", "EU.*.NH", 3}, {config.WildcardLiteral, "EU.NL.NH", "EU.*.NH", 1},
		{config.WildcardAny, "*", "EU.NL", 1}, {config.WildcardLiteral, "*", "EU.NL", 0}, {config.WildcardLiteral, "*.NL", "*.NL", 2},
		{config.WildcardAny, "EU.NL", "EU.NL.*", 2}, {config.WildcardAny, "XX.YY", "AA.YY", 0}, {config.WildcardAny, "eu.nl", "EU.NL", 2},
	} {
		w := newWorld().site("s", c.site).location("10.0.0.0/8", c.client)
		w.doc.Settings.Locations.Wildcards = c.wildcards
		at := buildLocations(t, w, nil).locate(netip.MustParseAddr("10.0.0.1"))
		if got := at.Sites[0].Depth; got != c.want {
			t.Errorf("%s: client %s, site %s: got depth %d, want %d", c.wildcards, c.client, c.site, got, c.want)
		}
	}
}

func TestMatchersWithoutLocations(t *testing.T) {
	prefixes := func(p ...string) (m clientMatcher) {
		for _, s := range p {
			m.prefixes = append(m.prefixes, netip.MustParsePrefix(s))
		}
		return m
	}
	l := buildLocations(t, newWorld().site("s", ""), nil, prefixes("10.0.0.0/8", "2001:db8::/32"), prefixes("10.1.0.0/16", "10.1.2.0/24", "0.0.0.0/0"))
	for _, c := range []struct {
		client string
		want   string
		bits   int
	}{
		{"10.1.2.3", "true true", 8}, {"10.2.0.0", "true true", 8}, {"11.0.0.0", "false true", 8}, {"2001:db8::1", "true false", 32},
		{"2001:db9::1", "false false", 32}, {"255.255.255.255", "false true", 1},
	} {
		r, bits := l.find(netip.MustParseAddr(c.client))
		got := "false false"
		if r != nil {
			got = fmt.Sprint(r.satisfies(0), r.satisfies(1))
			if r.closeness != nil {
				t.Errorf("%s: got closeness %v, want none: its place is not known", c.client, r.closeness)
			}
		}
		if got != c.want || bits != c.bits {
			t.Errorf("%s: got %s for /%d, want %s for /%d", c.client, got, bits, c.want, c.bits)
		}
	}
}

func TestPlaceMatchers(t *testing.T) {
	geo := geoTable(t, "10.0.0.0,10.0.0.255,EU,NL,NH,Amsterdam,KPN,,,", "10.0.1.0,10.0.1.255,EU,NL,,,,,,", "10.0.2.0,10.0.2.255,EU,DE,,,KPN,,,")
	l := buildLocations(t, newWorld().site("s", ""), geo,
		clientMatcher{places: []string{"EU.NL"}}, clientMatcher{places: []string{"EU.NL.*"}}, clientMatcher{places: []string{"*.*.*.*.KPN"}},
		clientMatcher{places: []string{"eu"}, prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.2.0/24")}}, clientMatcher{places: []string{"NA", "EU.DE"}})
	for client, want := range map[string]string{"10.0.0.1": "0 1 2", "10.0.1.1": "0", "10.0.2.1": "2 3 4", "10.0.3.1": ""} {
		r, _ := l.find(netip.MustParseAddr(client))
		var got []string
		for i := range 5 {
			if r != nil && r.satisfies(i) {
				got = append(got, fmt.Sprint(i))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", client, got, want)
		}
	}
}

func TestMatcherLimit(t *testing.T) {
	w := newWorld().site("s", "")
	b := locationBuilder{matchers: make([]clientMatcher, maxMatchers+1)}
	if _, err := b.build(&w.doc, nil, nil); err == nil || !strings.Contains(err.Error(), "the limit is 256") {
		t.Errorf("got %v", err)
	}
}

// slowRegion is the twin of a region, made from the document and the table for one address.
func slowRegion(w *world, geo *geodata.Table, matchers []clientMatcher, a netip.Addr) string {
	client, known, longest := spot{}, false, -1
	if n, _ := geo.Lookup(a); n != 0 {
		client, known = coordinatesOf(geo.Spot(n)), true
		client.qualifiers = strings.Split(strings.ToLower(geo.Place(n)), ".")
		if client.qualifiers[0] == "" {
			client.qualifiers = nil
		}
	}
	for i := range w.doc.Locations {
		in := &w.doc.Locations[i]
		if in.Prefix.Contains(a) && in.Prefix.Bits() >= longest {
			client, known, longest = newSpot(in.Place, in.Latitude, in.Longitude), true, in.Prefix.Bits()
		}
	}
	out := "nowhere"
	if known {
		row := make([]uint32, len(w.doc.Sites))
		for i := range row {
			s := newSpot(w.doc.Sites[i].Location.Place, w.doc.Sites[i].Location.Latitude, w.doc.Sites[i].Location.Longitude)
			depth := 0
			for depth < min(len(client.qualifiers), len(s.qualifiers)) && (client.qualifiers[depth] == s.qualifiers[depth] || s.qualifiers[depth] == "*") {
				depth++
			}
			row[i] = closeness(depth, client, s)
		}
		out = ""
		for i := range row {
			for j := range row {
				out += fmt.Sprint(cmp.Compare(row[i], row[j]), row[i] == 0, " ")
			}
		}
	}
	for _, m := range matchers {
		in := len(m.prefixes) == 0 || slices.ContainsFunc(m.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
		at := len(m.places) == 0 || known && slices.ContainsFunc(m.places, func(p string) bool {
			return placeMatches(strings.Split(strings.ToLower(p), "."), client.qualifiers)
		})
		out += fmt.Sprint(in && at)
	}
	return out
}

// regionText is the same for the fast way.
func regionText(r *region, sites, matchers int) string {
	out := "nowhere"
	if r != nil && r.closeness != nil {
		out = ""
		for i := range sites {
			for j := range sites {
				out += fmt.Sprint(cmp.Compare(r.closeness[i], r.closeness[j]), r.closeness[i] == 0, " ")
			}
		}
	}
	for i := range matchers {
		out += fmt.Sprint(r != nil && r.satisfies(i))
	}
	return out
}

func TestRegionsAgreeWithTheirTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	words := []string{"EU", "NL", "NH", "*"}
	place := func() string {
		var out []string
		for range 1 + rng.IntN(3) {
			out = append(out, words[rng.IntN(len(words))])
		}
		return strings.Join(out, ".")
	}
	prefix := func() netip.Prefix {
		bits := 16 + rng.IntN(17)
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(rng.IntN(8)), byte(rng.IntN(256))}), bits).Masked()
	}
	degree := func() float64 { return float64(rng.IntN(5) * 10) }
	for round := range 150 {
		w := newWorld()
		for i := range 1 + rng.IntN(4) {
			switch rng.IntN(3) {
			case 0:
				w.site(fmt.Sprint("s", i), place())
			case 1:
				w.site(fmt.Sprint("s", i), "", degree(), degree())
			default:
				w.site(fmt.Sprint("s", i), place(), degree(), degree())
			}
		}
		for range rng.IntN(6) {
			w.location(prefix().String(), strings.ReplaceAll(place(), "*", "XX"), degree(), degree())
		}
		var lines []string
		for range 1 + rng.IntN(8) {
			first := 10<<24 + rng.Uint64N(1<<11)
			lines = append(lines, fmt.Sprintf("%s,%s,EU,%s,,,,,%v,%v", geodata.Key{Lo: first}.Addr(true), geodata.Key{Lo: first + rng.Uint64N(600)}.Addr(true), []string{"", "NL", "DE"}[rng.IntN(3)], degree(), degree()))
		}
		var matchers []clientMatcher
		for range rng.IntN(4) {
			var m clientMatcher
			for range rng.IntN(3) {
				m.prefixes = append(m.prefixes, prefix())
			}
			for range rng.IntN(2) {
				m.places = append(m.places, place())
			}
			matchers = append(matchers, m)
		}
		geo := geoTable(t, lines...)
		l := buildLocations(t, w, geo, matchers...)
		for range 100 {
			a := geodata.Key{Lo: 10<<24 + rng.Uint64N(1<<11)}.Addr(true)
			r, bits := l.find(a)
			got, want := regionText(r, len(w.doc.Sites), len(matchers)), slowRegion(w, geo, matchers, a)
			if got != want {
				t.Fatalf("round %d: %s: got %s\nwant %s\nlocations %+v\nfile %v", round, a, got, want, w.doc.Locations, lines)
			}
			p, _ := a.Prefix(bits)
			first, last := geodata.PrefixRange(p)
			for _, k := range []geodata.Key{first, last} {
				if other, _ := l.find(k.Addr(true)); other != r {
					t.Fatalf("round %d: %s is in another region than %s, though the scope is /%d", round, k.Addr(true), a, bits)
				}
			}
		}
	}
}

// TestDirectionsTellTheDistance holds the fast way to a distance to the plain one, from a metre to the other side of the globe.
func TestDirectionsTellTheDistance(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 20_000 {
		near := math.Pow(10, -rng.Float64()*7)
		a := spot{lat: (rng.Float64() - 0.5) * math.Pi, lon: (rng.Float64()*2 - 1) * math.Pi, located: true}
		b := spot{lat: max(-math.Pi/2, min(math.Pi/2, a.lat+(rng.Float64()-0.5)*math.Pi*near)), lon: a.lon + (rng.Float64()*2-1)*math.Pi*near, located: true}
		x, y := directionOf(a), directionOf(b)
		if got, want := x.metres(&y), greatCircleMetres(a, b); math.Abs(got-want) > 0.5 {
			t.Fatalf("%v to %v: got %f m, want %f m", a, b, got, want)
		}
	}
	for _, c := range [][2]spot{{{lat: 1}, {lat: -1, lon: math.Pi}}, {{lon: -math.Pi}, {lon: math.Pi}}, {{lat: math.Pi / 2, lon: 1}, {lat: math.Pi / 2, lon: -2}}} {
		x, y := directionOf(c[0]), directionOf(c[1])
		if got, want := x.metres(&y), greatCircleMetres(c[0], c[1]); math.Abs(got-want) > 0.5 {
			t.Errorf("%v to %v: got %f m, want %f m", c[0], c[1], got, want)
		}
	}
}

// TestManySpotsKeepTheirOwnClass holds that spots which share a slot of what a classifier remembers are told apart.
func TestManySpotsKeepTheirOwnClass(t *testing.T) {
	w := newWorld().site("ams", "EU.NL", 52.37, 4.89).site("nyc", "NA.US", 40.71, -74.01).site("syd", "OC.AU", -33.87, 151.21)
	rng, words := rand.New(rand.NewPCG(9, 10)), []string{"EU", "NL", "NA", "US", "OC", "AU", ""}
	coordinates := []string{",", "0,0", "4,52", "-74,40", "151,-33"} // none, and at 0
	var lines []string
	for i := range uint64(2 * recentSpots) {
		line := fmt.Sprintf("%s,%s", geodata.Key{Lo: i << 8}.Addr(true), geodata.Key{Lo: i<<8 + 255}.Addr(true))
		for range geodata.MaxQualifiers {
			line += "," + words[rng.IntN(len(words))]
		}
		at := coordinates[rng.IntN(len(coordinates))]
		if i%2 != 0 {
			at = fmt.Sprintf("%d,%d", rng.IntN(360)-180, rng.IntN(180)-90)
		}
		lines = append(lines, line+","+at)
	}
	geo := geoTable(t, lines...)
	l := buildLocations(t, w, geo)
	for i := range uint64(len(lines)) {
		a := geodata.Key{Lo: i << 8}.Addr(true)
		r, _ := l.find(a)
		if got, want := regionText(r, 3, 0), slowRegion(w, geo, nil, a); got != want {
			t.Fatalf("%s: got %s, want %s", lines[i], got, want)
		}
	}
}

func TestSpotOfAClient(t *testing.T) {
	w := newWorld().site("s", "").location("10.0.0.0/16", "", 1, 2).location("10.1.0.0/16", "EU")
	l := buildLocations(t, w, geoTable(t, "10.0.0.0,10.255.255.255,EU,NL,,,,,4.5,52"))
	for _, c := range []struct {
		client  string
		lat     float64
		located bool
		bits    int
	}{{"10.0.0.1", 1, true, 16}, {"10.1.0.1", 0, false, 16}, {"10.2.0.1", 52, true, 15}, {"11.0.0.1", 0, false, 8}} {
		n, bits := l.spotNumber(netip.MustParseAddr(c.client))
		s := l.spotOf(n)
		if degrees(s.lat) != c.lat || s.located != c.located || bits != c.bits {
			t.Errorf("%s: got %v %v /%d, want %v %v /%d", c.client, degrees(s.lat), s.located, bits, c.lat, c.located, c.bits)
		}
	}
}

func TestLocationLookupsDoNotAllocate(t *testing.T) {
	w := newWorld().site("s", "EU", 1, 2).location("10.0.0.0/16", "EU", 1, 2)
	l := buildLocations(t, w, geoTable(t, "10.0.0.0,10.255.255.255,EU,NL,,,,,4.5,52"), clientMatcher{prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/9")}})
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.200.0.1")
	if n := testing.AllocsPerRun(100, func() { l.find(a); l.find(b); l.spotNumber(a); l.spotNumber(b) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
