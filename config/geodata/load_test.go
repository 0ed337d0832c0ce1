package geodata

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// write puts a file into the test's directory.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, files ...File) *Table {
	t.Helper()
	table, err := Load(context.Background(), files)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// shown is what a table says about an address, in words.
func shown(t *Table, addr string) string {
	n, _ := t.Lookup(netip.MustParseAddr(addr))
	if n == 0 {
		return "nowhere"
	}
	out := t.Place(n)
	if s := t.Spot(n); s.Located() {
		out += " " + strings.Join([]string{degrees(s.Latitude), degrees(s.Longitude)}, " ")
	}
	return out
}

func degrees(micro int32) string { return strconv.FormatFloat(float64(micro)/1e6, 'f', -1, 64) }

const netscalerHead = "NSGEO1.0\nContext=geographic\nQualifier1=Continent\nQualifier2=Country_Code\nQualifier3=Region\nQualifier4=City\nQualifier5=ISP\nQualifier6=Organization\nStart\n"

func TestTextFormats(t *testing.T) {
	for _, c := range []struct {
		name   string
		format Format
		text   string
		want   map[string]string
	}{
		{"netscaler", NetScaler, netscalerHead + "10.0.0.0,10.0.0.255,EU,NL,NH,Amsterdam,KPN,\"Example, Inc.\",4.89,52.37\n10.0.2.0,10.0.2.9,NA,US,,,,,,\n",
			map[string]string{"10.0.0.0": "EU.NL.NH.Amsterdam.KPN.Example, Inc 52.37 4.89", "10.0.0.255": "EU.NL.NH.Amsterdam.KPN.Example, Inc 52.37 4.89", "10.0.1.0": "nowhere", "10.0.2.9": "NA.US", "10.0.2.10": "nowhere"}},
		{"netscaler with less qualifiers", NetScaler, "NSGEO1.0\nContext=custom\nQualifier1=ispname\nStart\n10.0.0.0,10.0.0.255,\"gold\"\n", map[string]string{"10.0.0.7": "gold"}},
		{"netscaler6", NetScaler6, "NSGEO1.0\nQualifier1=a\nQualifier2=b\nQualifier3=c\nQualifier4=d\nQualifier5=e\nStart\n2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,,NL,NH,,Haarlem,4.6,52.4\n",
			map[string]string{"2001:db8:1::1": "EU.NL.NH.?.Haarlem 52.4 4.6", "2001:db9::": "nowhere"}},
		{"ip-country", IPCountry, "\"0\",\"16777215\",\"-\",\"-\"\n\"16777216\",\"16777471\",\"AU\",\"Australia\"\n", map[string]string{"0.0.0.1": "nowhere", "1.0.0.255": "OC.AU", "1.0.1.0": "nowhere"}},
		{"ip-country in lower case", IPCountry, "16777216,16777471,au,Australia\n", map[string]string{"1.0.0.1": "OC.au"}},
		{"ip-country-isp", IPCountryISP, "\"16777216\",\"16777471\",\"AU\",\"Australia\",\"APNIC \"\"Lab\"\"\"\n", map[string]string{"1.0.0.1": `OC.AU.?.?.APNIC "Lab"`}},
		{"ip-country-region-city", IPCountryRegionCity, "\"16777216\",\"16777471\",\"US\",\"United States\",\"Missouri\",\"St. Louis\"\n", map[string]string{"1.0.0.1": "NA.US.Missouri.St Louis"}},
		{"ip-country-region-city-isp", IPCountryRegionCityIS, "16777216,16777471,DE,Germany,Hessen,Frankfurt,DTAG\r\n", map[string]string{"1.0.0.1": "EU.DE.Hessen.Frankfurt.DTAG"}},
		{"geoip-country", GeoIPCountry, "\"1.0.0.0\",\"1.0.0.255\",\"16777216\",\"16777471\",\"AU\",\"Australia\"\n", map[string]string{"1.0.0.1": "OC.AU"}},
		{"geoip-country with spaces and tabs", GeoIPCountry, "1.0.0.0\t,\t1.0.0.255 , \tAU \t,\"Australia\"\t\n", map[string]string{"1.0.0.1": "OC.AU"}},
		{"geoip-country6", GeoIPCountry6, "\"2001:200::\", \"2001:200:ffff:ffff:ffff:ffff:ffff:ffff\", \"42540528726795050063891204319802818560\", \"42540528806023212578155541913346768895\", \"JP\", \"Japan\"\n", map[string]string{"2001:200::1": "AS.JP"}},
		{"geoip-region", GeoIPRegion, "1.0.0.0,1.0.0.255,16777216,16777471,US,CA\n", map[string]string{"1.0.0.1": "NA.US.CA"}},
		{"geoip-city", GeoIPCity, "1.0.0.0,1.0.0.255,US,CA,Alturas,96101,41.5,-120.5,813,530\n", map[string]string{"1.0.0.1": "NA.US.CA.Alturas 41.5 -120.5"}},
		{"geoip-country-org", GeoIPCountryOrg, "1.0.0.0,1.0.0.255,16777216,16777471,NO,Telenor\n", map[string]string{"1.0.0.1": "EU.NO.?.?.?.Telenor"}},
		{"geoip-country-isp", GeoIPCountryISP, "1.0.0.0,1.0.0.255,NO,Telenor\n", map[string]string{"1.0.0.1": "EU.NO.?.?.Telenor"}},
		{"geoip-city-isp-org", GeoIPCityISPOrg, "1.0.0.0,1.0.0.255,US,CA,Alturas,96101,41.5,-120.5,813,530,Frontier,Acme\n", map[string]string{"1.0.0.1": "NA.US.CA.Alturas.Frontier.Acme 41.5 -120.5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := load(t, File{Path: write(t, "file.csv", c.text), Format: c.format})
			for addr, want := range c.want {
				if got := shown(table, addr); got != want {
					t.Errorf("%s: got %q, want %q", addr, got, want)
				}
			}
		})
	}
}

const (
	maxmindPlaces = "geoname_id,locale_code,continent_code,continent_name,country_iso_code,country_name,subdivision_1_iso_code,subdivision_1_name,city_name\n" +
		"2759794,en,EU,Europe,NL,Netherlands,NH,\"North Holland\",Amsterdam\n6252001,en,NA,\"North America\",US,\"United States\",,,\n"
	maxmindCity = "network,geoname_id,registered_country_geoname_id,represented_country_geoname_id,is_anonymous_proxy,is_satellite_provider,postal_code,latitude,longitude,accuracy_radius\n" +
		"192.0.2.0/24,2759794,6252001,,0,0,1012,52.374,4.8897,10\n2001:db8::/32,,6252001,,0,0,,37.751,-97.822,1000\n"
	maxmindASN = "network,autonomous_system_number,autonomous_system_organization\n192.0.2.128/25,1136,\"KPN B.V.\"\n198.51.100.0/24,65000,Lab\n"
)

func TestMaxMindText(t *testing.T) {
	places := write(t, "Locations-en.csv", maxmindPlaces)
	table := load(t, File{Path: write(t, "Blocks.csv", maxmindCity), Format: MaxMind, Locations: places},
		File{Path: write(t, "ASN.csv", maxmindASN), Format: MaxMind})
	for addr, want := range map[string]string{
		"192.0.2.1": "EU.NL.NH.Amsterdam 52.374 4.8897", "192.0.2.200": "EU.NL.NH.Amsterdam.KPN BV.AS1136 52.374 4.8897",
		"2001:db8::1": "NA.US 37.751 -97.822", "198.51.100.1": "?.?.?.?.Lab.AS65000", "192.0.3.0": "nowhere",
	} {
		if got := shown(table, addr); got != want {
			t.Errorf("%s: got %q, want %q", addr, got, want)
		}
	}
	n, bits := table.Lookup(netip.MustParseAddr("192.0.2.200"))
	if bits != 25 || len(table.SourcesOf(n)) != 2 {
		t.Errorf("got /%d of %v, want /25 of both files", bits, table.SourcesOf(n))
	}
}

func TestDatabase(t *testing.T) {
	city := newMMDB("GeoLite2-City")
	city.add(t, "192.0.2.0/24", mmdbCity("EU", "NL", "NH", "Amsterdam", 52.374, 4.8897))
	city.add(t, "2001:db8::/32", mmdbCity("AS", "JP", "13", "Tokyo", 35.68, 139.69))
	for _, alias := range []string{"::ffff:0:0/96", "2002::/16", "2001::/32"} {
		city.alias(alias)
	}
	asn := newMMDB("GeoLite2-ASN")
	asn.add(t, "192.0.0.0/16", map[string]any{"autonomous_system_number": uint32(1136), "autonomous_system_organization": "KPN"})
	country := newMMDB("GeoLite2-Country")
	country.add(t, "198.51.100.0/24", map[string]any{"registered_country": map[string]any{"iso_code": "DE"}})
	isp := newMMDB("GeoIP2-ISP")
	isp.add(t, "198.51.100.0/25", map[string]any{"isp": "DTAG", "organization": "Lab"})
	var files []File
	for _, w := range []*mmdbWriter{city, asn, country, isp} {
		files = append(files, File{Path: write(t, w.kind+".mmdb", string(w.bytes())), Format: MMDB})
	}
	table := load(t, files...)
	for addr, want := range map[string]string{
		"192.0.2.1": "EU.NL.NH.Amsterdam.KPN.AS1136 52.374 4.8897", "192.0.3.1": "?.?.?.?.KPN.AS1136",
		"2001:db8::1": "AS.JP.13.Tokyo 35.68 139.69", "2002:c000:201::1": "nowhere", "2001:0:c000:201::1": "nowhere",
		"198.51.100.1": "EU.DE.?.?.DTAG.Lab", "198.51.100.200": "EU.DE",
	} {
		if got := shown(table, addr); got != want {
			t.Errorf("%s: got %q, want %q", addr, got, want)
		}
	}
	if info := table.Files()[0]; info.Entries != 2 || info.Built.Year() != 2026 {
		t.Errorf("got %d entries of %v, want 2 of 2026", info.Entries, info.Built)
	}
}

func TestRefusedFiles(t *testing.T) {
	places := write(t, "Locations-en.csv", maxmindPlaces)
	whole := newMMDB("GeoLite2-City")
	whole.add(t, "192.0.2.0/24", mmdbCity("EU", "NL", "NH", "Amsterdam", 52.374, 4.8897))
	bent := newMMDB("GeoLite2-City")
	bent.add(t, "192.0.2.0/24", mmdbCity("EU", "NL", "NH", "Amsterdam", 99, 4.8897))
	loop := newMMDB("GeoLite2-City")
	loop.nodes = [][2]int{{0, 0}}
	octets := string(whole.bytes())
	for _, c := range []struct {
		name, text string
		format     Format
		locations  string
		want       string
	}{
		{"cut off in a line", netscalerHead + "10.0.0.0,10.0.0.255,EU,NL,NH,Amsterdam,,,4.8", NetScaler, "", ":10: the last line does not end"},
		{"another format", maxmindCity, NetScaler, "", ":1: the file does not begin with NSGEO1.0"},
		{"a header without end", "NSGEO1.0\nContext=custom\n", NetScaler, "", "there is no line \"Start\""},
		{"an address", netscalerHead + "10.0.0.256,10.0.0.255,EU,,,,,,,\n", NetScaler, "", ":10: \"10.0.0.256\" is not an address"},
		{"the wrong way round", "9,8,DE,Germany\n", IPCountry, "", ":1: the range ends before it begins"},
		{"a wrong format", "1.0.0.0,1.0.0.255,Amsterdam,NL\n", IPCountry, "", "\"Amsterdam\" is no country code"},
		{"too many columns", "1.0.0.0,1.0.0.255,NL,Netherlands,NH\n", IPCountry, "", "3 columns after the addresses; the format has 2"},
		{"a latitude for a longitude", netscalerHead + "10.0.0.0,10.0.0.255,OC,AU,,,,,-33.8,151.2\n", NetScaler, "", "coordinates outside"},
		{"not a number", netscalerHead + "10.0.0.0,10.0.0.255,OC,AU,,,,,NaN,NaN\n", NetScaler, "", "coordinates outside"},
		{"a longitude alone", netscalerHead + "10.0.0.0,10.0.0.255,OC,AU,,,,,1\n", NetScaler, "", "a longitude without a latitude"},
		{"the wrong family", netscalerHead + "10.0.0.0,10.0.0.255,OC,AU\n", NetScaler6, "", "not of the format's family"},
		{"an open quote", "\"1,2,3,4\n", IPCountry, "", "a quoted column does not end"},
		{"a long line", strings.Repeat("x", maxLine+1) + "\n", IPCountry, "", "a line of more than 65536 octets"},
		{"blocks without locations", maxmindCity, MaxMind, "", "add locations:"},
		{"blocks of another release", "network,geoname_id\n192.0.2.0/24,5\n", MaxMind, places, ":2: geoname_id 5 is not in Locations-en.csv"},
		{"no blocks", maxmindPlaces, MaxMind, places, "names no column \"network\""},
		{"no database", "hello", MMDB, "", "damaged or cut off"},
		{"a database cut off", octets[:len(octets)/2], MMDB, "", "damaged or cut off"},
		{"a database without a tree", octets[200:], MMDB, "", "damaged or cut off"},
		{"a database that lies about coordinates", string(bent.bytes()), MMDB, "", "coordinates outside"},
		{"a tree without end", string(loop.bytes()), MMDB, "", "damaged or cut off"},
		{"a database of something else", string(newMMDB("GeoIP2-Domain").bytes()), MMDB, "", "its type is \"GeoIP2-Domain\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, "file", c.text)
			table, err := Load(context.Background(), []File{{Path: path, Format: c.format, Locations: c.locations}})
			var refused *FileError
			if !errors.As(err, &refused) || table != nil {
				t.Fatalf("got %v, want a FileError and no table", err)
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got  %v\nwant it to name the file and say %q", err, c.want)
			}
		})
	}
	if _, err := Load(context.Background(), []File{{Path: "/nowhere/x.mmdb", Format: MMDB}}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: got %v", err)
	}
}

func TestFirstFileCounts(t *testing.T) {
	own := File{Path: write(t, "own.csv", netscalerHead+"192.0.2.0,192.0.2.63,EU,XX,,Lab,,,,\n"), Format: NetScaler}
	bought := File{Path: write(t, "bought.csv", netscalerHead+"192.0.2.0,192.0.2.255,EU,NL,NH,Amsterdam,KPN,,4.89,52.37\n"), Format: NetScaler}
	table := load(t, own, bought)
	for addr, want := range map[string]string{"192.0.2.1": "EU.XX.?.Lab.KPN", "192.0.2.64": "EU.NL.NH.Amsterdam.KPN 52.37 4.89"} {
		if got := shown(table, addr); got != want {
			t.Errorf("%s: got %q, want %q", addr, got, want)
		}
	}
}

// meddling is a context that writes to a file whenever a reader looks whether to stop.
type meddling struct {
	context.Context
	path string
}

func (m meddling) Err() error {
	f, err := os.OpenFile(m.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString("\n"); err != nil {
		return err
	}
	return f.Close()
}

// TestFilesThatChange holds that files that are written to while they are read are refused, whichever of the two it is.
func TestFilesThatChange(t *testing.T) {
	places := write(t, "Locations-en.csv", maxmindPlaces)
	blocks := write(t, "Blocks.csv", maxmindCity+strings.Repeat("192.0.2.0/24,2759794,,,,,,,,\n", stopEvery))
	for _, path := range []string{places, blocks} {
		_, err := Load(meddling{context.Background(), path}, []File{{Path: blocks, Format: MaxMind, Locations: places}})
		var refused *FileError
		if !errors.As(err, &refused) || refused.Path != path || !errors.Is(err, errChanging) {
			t.Errorf("%s: got %v, want %v", path, err, errChanging)
		}
	}
}

func TestLoadStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	path := write(t, "long.csv", strings.Repeat("0,1,DE,Germany\n", stopEvery+1))
	if _, err := Load(ctx, []File{{Path: path, Format: IPCountry}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func FuzzText(f *testing.F) {
	formats := []Format{NetScaler, NetScaler6, IPCountry, GeoIPCity, GeoIPCityISPOrg, MaxMind}
	f.Add(uint8(0), netscalerHead+"10.0.0.0,10.0.0.255,EU,NL,NH,\"Am\"\"s\",,,4.8,52\n")
	f.Add(uint8(1), "NSGEO1.0\nQualifier1=a\nStart\n::,::1,a\n")
	f.Add(uint8(2), "\"1\",\"2\",\"DE\",\"Germany\"\n")
	f.Add(uint8(3), "1,2,US,CA,Alturas,96101,41.5,-120.5\n")
	f.Add(uint8(5), maxmindASN)
	f.Fuzz(func(t *testing.T, format uint8, text string) {
		table, err := Load(context.Background(), []File{{Path: write(t, "f", text), Format: formats[int(format)%len(formats)]}})
		if (err == nil) == (table == nil) {
			t.Fatalf("got a table %v and error %v", table != nil, err)
		}
		if table != nil {
			shown(table, "10.0.0.1")
		}
	})
}

func FuzzDatabase(f *testing.F) {
	w := newMMDB("GeoLite2-City")
	w.add(f, "192.0.2.0/24", mmdbCity("EU", "NL", "NH", "Amsterdam", 52.374, 4.8897))
	w.alias("2002::/16")
	f.Add(w.bytes())
	f.Fuzz(func(t *testing.T, octets []byte) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		table, err := Load(ctx, []File{{Path: write(t, "f", string(octets)), Format: MMDB}})
		if (err == nil) == (table == nil) {
			t.Fatalf("got a table %v and error %v", table != nil, err)
		}
	})
}

func TestTangledTree(t *testing.T) {
	w := newMMDB("GeoLite2-City")
	w.add(t, "128.0.0.0/1", mmdbCity("EU", "NL", "NH", "Amsterdam", 52.374, 4.8897))
	data := w.nodes[96][1]
	w.nodes = nil
	for i := range 127 {
		w.nodes = append(w.nodes, [2]int{i + 1, i + 1})
	}
	w.nodes = append(w.nodes, [2]int{data, data})
	_, err := Load(context.Background(), []File{{Path: write(t, "tangled.mmdb", string(w.bytes())), Format: MMDB}})
	if !errors.Is(err, errTangled) {
		t.Errorf("got %v, want %v", err, errTangled)
	}
}
