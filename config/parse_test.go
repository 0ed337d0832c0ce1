package config

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// small is a valid document that tests put extra lines into.
const small = `zones: [{name: example.com, nameservers: [ns1.example.net]}]
sites: [{name: ams, address: 192.0.2.10}]
services: [{name: web, site: ams, addresses: [192.0.2.80]}]
virtual_servers:
  - name: web
    domains: [{name: www.example.com}]
    members: [{service: web}]
`

func parseText(text string) (*Document, *Report) {
	return Parse(Source{Name: "doc.yaml", Text: []byte(text)})
}

func TestReferenceDocument(t *testing.T) {
	src, err := ReadSource("testdata/two-sites.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, report := Parse(src)
	if report.Errors() > 0 || report.Err() != nil {
		t.Fatalf("problems:\n%s", rendered(t, report))
	}
	// The load of web-nyc is left out there, although its virtual server compares loads.
	if said := report.Problems(); len(said) != 1 || said[0].Code != codeWarnNoLoad || !strings.Contains(said[0].Message, "web-nyc") {
		t.Errorf("got, want a warning of the load of web-nyc alone:\n%s", rendered(t, report))
	}
	if got, want := len(doc.Services), 3; got != want {
		t.Errorf("services: got %d, want %d", got, want)
	}
	web := doc.VirtualServers[0]
	if web.Method != LeastConnection || web.Members[1].Service != "web-nyc" || web.Domains[0].TTL.Std() != 20*time.Second {
		t.Errorf("virtual server web is %+v", web)
	}
	if got, want := doc.Services[0].Address6(), netip.MustParseAddr("2001:db8:a::80"); got != want {
		t.Errorf("address: got %s, want %s", got, want)
	}
	if got, want := *doc.Locations[0].Latitude, 35.68; got != want {
		t.Errorf("latitude: got %v, want %v", got, want)
	}
}

func TestReferenceNode(t *testing.T) {
	node, report, err := LoadNode("testdata/node-ams.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if report.Errors() > 0 || report.Warnings() > 0 {
		t.Fatalf("problems:\n%s", rendered(t, report))
	}
	if got, want := node.Config.Seed, "testdata/two-sites.yaml"; got != want {
		t.Errorf("seed: got %q, want %q", got, want)
	}
	if got, want := node.MEP.TLS.CA, "/etc/fairlead/pki/ca.crt"; got != want {
		t.Errorf("ca: got %q, want %q", got, want)
	}
}

func TestDefaults(t *testing.T) {
	doc, report := parseText(small + "monitors: [{name: m, type: https}]\n")
	if doc == nil {
		t.Fatal(report.Err())
	}
	v, m := doc.VirtualServers[0], doc.Monitors[0]
	tests := []struct {
		name      string
		got, want any
	}{
		{"method", v.Method, LeastConnection},
		{"backup method", v.BackupMethod, RoundRobin},
		{"member weight", v.Members[0].Weight, 1},
		{"nested prefix", v.SourceIPHash.Prefix6, 56},
		{"persistence timeout", v.Persistence.Timeout.Std(), 2 * time.Minute},
		{"client subnet", v.ClientSubnet, true},
		{"service state", doc.Services[0].State, ServiceEnabled},
		{"trigger", doc.Sites[0].TriggerMonitors, TriggerAlways},
		{"probe path", m.HTTP.Path, "/"},
		{"verify", m.TLS.Verify, true},
		{"jitter", m.JitterPercent(), DefaultJitter},
		{"metrics interval", doc.Settings.MEP.MetricsInterval.Std(), time.Second},
		{"serial", doc.Zones[0].Serial, uint32(1)},
		{"domain TTL", v.Domains[0].AnswerTTL(&doc.Zones[0]), 30 * time.Second},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, tt.got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestPointersGetDefaults(t *testing.T) {
	doc, report := parseText(strings.Replace(small, "192.0.2.80]}", `192.0.2.80], load: {source: json, url: "http://192.0.2.80/"}}`, 1))
	if doc == nil {
		t.Fatal(report.Err())
	}
	if got, want := doc.Services[0].Load.Interval.Std(), time.Second; got != want {
		t.Errorf("interval: got %s, want %s", got, want)
	}
}

func TestMethodSpellings(t *testing.T) {
	tests := map[string]Method{
		"least-connection": LeastConnection, "LEASTCONNECTION": LeastConnection, "LeastConnection": LeastConnection,
		"ROUNDROBIN": RoundRobin, "SOURCEIPHASH": SourceIPHashing, "STATICPROXIMITY": StaticProximity, "static_proximity": StaticProximity,
	}
	for spelling, want := range tests {
		doc, report := parseText(small + "    method: " + spelling + "\n")
		if doc == nil {
			t.Errorf("%s: %v", spelling, report.Err())
		} else if got := doc.VirtualServers[0].Method; got != want {
			t.Errorf("%s: got %s, want %s", spelling, got, want)
		}
	}
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	doc, report := parseText(strings.Replace(small, "sites:", "monitors:\n"+
		"  - &base {name: one, type: http, interval: 7s, fall: 4}\n"+
		"  - {<<: *base, name: two, fall: 9}\nsites:", 1))
	if doc == nil {
		t.Fatal(report.Err())
	}
	got := doc.Monitors[1]
	if got.Name != "two" || got.Interval.Std() != 7*time.Second || got.Fall != 9 {
		t.Errorf("merged monitor is %+v", got)
	}
}

// TestHostileYAML are texts that hurt YAML parsers. Each must be refused in bounded time, never with a panic.
func TestHostileYAML(t *testing.T) {
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	tests := []struct {
		name, text string
		want       Code
	}{
		{"a text the parser panics on", "\na:\n<<:\n-\n?\n-\n", codeKey},
		{"a billion laughs", laughs, codeAlias},
		{"an alias to its own mapping", "sites: &s\n  name: *s\n", codeAlias},
		{"merging itself", "sites: &s\n  <<: *s\n", codeAlias},
		{"deep flow", strings.Repeat("[", 9000), codeSyntax},
		{"deep blocks", strings.Repeat("- ", 9000), codeTooDeep},
		{"control characters", "sites: \x01", codeSyntax},
		{"nothing", "", codeEmpty},
		{"null", "~", codeEmpty},
		{"a list", "[1, 2]", codeWrongKind},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, report := parseText(tt.text)
			if doc != nil || report.Errors() == 0 {
				t.Fatal("accepted")
			}
			wantCode(t, report, tt.want)
		})
	}
}

func wantCode(t *testing.T, report *Report, want Code) {
	t.Helper()
	for _, p := range report.Problems() {
		if p.Code == want {
			return
		}
	}
	t.Errorf("want %s, got:\n%s", want, rendered(t, report))
}

func TestTooLarge(t *testing.T) {
	_, report := Parse(Source{Text: make([]byte, MaxDocumentBytes+1)})
	wantCode(t, report, codeTooLarge)
}

func TestNotUTF8(t *testing.T) {
	_, report := parseText("sites:\n  - name: caf\xe9\n")
	wantCode(t, report, codeNotUTF8)
	if p := report.Problems()[0]; p.Line != 2 || p.Column != 14 {
		t.Errorf("got %d:%d, want 2:14", p.Line, p.Column)
	}
}

// TestABadNameIsOneProblem: references to an object whose name is not allowed are not wrong beside.
func TestABadNameIsOneProblem(t *testing.T) {
	_, report := parseText(strings.ReplaceAll(small, "ams", "äms"))
	if got := report.Problems(); len(got) != 1 || got[0].Code != codeName {
		t.Errorf("want one problem:\n%s", rendered(t, report))
	}
}

func TestByteOrderMark(t *testing.T) {
	if doc, report := parseText("\uFEFF" + small); doc == nil {
		t.Error(report.Err())
	}
}

func TestLoadSourcesThatCouldNeverBeRead(t *testing.T) {
	tests := []struct {
		url, path string
		want      Code // empty: good
	}{
		{"http://192.0.2.80:8080/load", "active", ""},
		{"http://[2001:db8::1]/load", "pools[0].active", ""},
		{"https://web.example.com/", "pools.0[1][2].a b", ""},
		{"https://web.example.com/", "[0]", ""},
		{"http://192.0.2.80:99999/load", "active", codeURL},
		{"http://192.0.2.80:0/load", "active", codeURL},
		{"http://192.0.2.80/", "a..b", codeLoadSource},
		{"http://192.0.2.80/", ".a", codeLoadSource},
		{"http://192.0.2.80/", "a[x]", codeLoadSource},
		{"http://192.0.2.80/", "a[1]b", codeLoadSource},
		{"http://192.0.2.80/", "a[1", codeLoadSource},
	}
	for _, tt := range tests {
		text := strings.Replace(small, "addresses: [192.0.2.80]", fmt.Sprintf("addresses: [192.0.2.80], load: {source: json, url: %q, path: %q}", tt.url, tt.path), 1)
		_, report := parseText(text)
		if tt.want == "" {
			if report.Errors() > 0 {
				t.Errorf("%s %s: %s", tt.url, tt.path, rendered(t, report))
			}
			continue
		}
		wantCode(t, report, tt.want)
	}
}

func TestTooManyMembers(t *testing.T) {
	text := strings.Replace(small, "[{service: web}]", "["+strings.Repeat("{service: web}, ", MaxMembers+1)+"]", 1)
	_, report := parseText(text)
	wantCode(t, report, codeTooMany)
	if got := len(report.Problems()); got != maxProblems {
		t.Errorf("the report keeps %d problems, want %d", got, maxProblems)
	}
	if got, want := report.Errors(), MaxMembers+1; got != want {
		t.Errorf("errors: got %d, want %d", got, want)
	}
	if out := rendered(t, report); !strings.Contains(out, "not shown") {
		t.Error("the rendered report does not say that problems are left out")
	}
}

func TestWarningsDoNotHideErrors(t *testing.T) {
	spare := ""
	for i := range maxProblems + 10 {
		spare += fmt.Sprintf("  - {name: spare-%d, site: ams, addresses: [192.0.2.81]}\n", i)
	}
	text := strings.Replace(small, "services: [{name: web, site: ams, addresses: [192.0.2.80]}]\n",
		"services:\n  - {name: web, site: ams, addresses: [192.0.2.80]}\n"+spare, 1)
	_, report := parseText(text + "    backup: nowhere\n")
	wantCode(t, report, codeUnknownVirtualServer)
	if got, want := report.Summary(), "1 error, 510 warnings"; got != want {
		t.Errorf("summary: got %q, want %q", got, want)
	}
}

func TestErrIsOneLineForEachError(t *testing.T) {
	_, report := parseText(small + "colour: blue\nflavour: sweet\n")
	want := "doc.yaml:8:1: error: unknown key \"colour\" [FL1101]\ndoc.yaml:9:1: error: unknown key \"flavour\" [FL1101]"
	if got := report.Err().Error(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestSourceID(t *testing.T) {
	base := Source{Name: "a", Text: []byte("text"), Files: map[string][]byte{"x": []byte("1"), "y": []byte("2")}}
	if got := base.ID(); len(got) != 32 {
		t.Errorf("id %q has %d digits, want 32", got, len(got))
	}
	renamed := base
	renamed.Name = "b"
	if base.ID() != renamed.ID() {
		t.Error("the name changes the id")
	}
	swapped := Source{Text: []byte("text"), Files: map[string][]byte{"x": []byte("2"), "y": []byte("1")}}
	if base.ID() == swapped.ID() {
		t.Error("swapped files have the same id")
	}
}

// TestMutations mutates the reference document: whatever an editor leaves behind is parsed and rendered without a panic.
func TestMutations(t *testing.T) {
	text := read(t, "testdata/two-sites.yaml")
	random := rand.New(rand.NewPCG(1, 2))
	const bytesToInsert = "{}[]:-&*!|>'\"%@`,#? \n\t0aZ\x00\xff"
	refused := 0
	for range 200 {
		b := []byte(string(text))
		for range 1 + random.IntN(6) {
			at := random.IntN(len(b))
			switch random.IntN(4) {
			case 0:
				b[at] = bytesToInsert[random.IntN(len(bytesToInsert))]
			case 1:
				b = append(b[:at:at], append([]byte{bytesToInsert[random.IntN(len(bytesToInsert))]}, b[at:]...)...)
			case 2:
				b = append(b[:at:at], b[min(len(b), at+1+random.IntN(20)):]...)
			case 3:
				end := min(len(b), at+random.IntN(200))
				b = append(b[:end:end], b[at:]...)
			}
		}
		doc, report := Parse(Source{Name: "mutated.yaml", Text: b})
		if (doc == nil) != (report.Errors() > 0) {
			t.Fatalf("document %v with %d errors", doc != nil, report.Errors())
		}
		if doc == nil {
			refused++
		}
		_ = rendered(t, report)
	}
	if refused < 100 {
		t.Errorf("only %d of 200 mutations were refused", refused)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(read(f, "testdata/two-sites.yaml"))
	f.Add([]byte("\na:\n<<:\n-\n?\n-\n"))
	f.Add([]byte(small))
	f.Add([]byte(grouped))
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, report := Parse(Source{Name: "fuzz.yaml", Text: text})
		if (doc == nil) != (report.Errors() > 0) {
			t.Fatalf("document %v with %d errors", doc != nil, report.Errors())
		}
		var b strings.Builder
		if err := report.Render(&b, true); err != nil {
			t.Fatal(err)
		}
		if doc == nil {
			return
		}
		for i := range doc.Zones {
			if _, err := ZoneData(&doc.Zones[i]); err != nil {
				t.Errorf("a valid document's zone: %v", err)
			}
		}
		checkExpanded(t, doc)
		for i := range doc.Sites {
			if doc.Sites[i].Endpoint() == "" {
				t.Errorf("site %d has no end point", i)
			}
		}
	})
}
