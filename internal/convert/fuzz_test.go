package convert

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairlead/config"
)

// wellFormed fails when a document is not the YAML of a document: what its values say is for the findings.
func wellFormed(t *testing.T, text []byte) {
	t.Helper()
	_, report := config.Parse(config.Source{Name: "document", Text: text})
	for _, p := range report.Problems() {
		switch code := string(p.Code); {
		case strings.HasPrefix(code, "FL10"), code == "FL1101", code == "FL1102", code == "FL1104":
			t.Fatalf("%v\n%s", p, text)
		}
	}
}

func addSamples(f *testing.F, directory string) {
	f.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", directory, "*"))
	if err != nil || len(names) == 0 {
		f.Fatal("there are no samples")
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
}

func FuzzNetScaler(f *testing.F) {
	addSamples(f, "netscaler")
	f.Add([]byte("add gslb site \"a\x00\xff\\\" b\" 192.0.2.1\nset lb monitor m -respCode\nbind gslb service\nrename gslb site a\nenable gslb servicegroup g"))
	f.Add([]byte("add dns soaRec a.example\nadd dns mxRec a.example -mx b\x05.c"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := NetScaler(NetScalerOptions{Name: "ns.conf", Text: text})
		if err != nil {
			return
		}
		wellFormed(t, r.Document)
	})
}

func FuzzBIND(f *testing.F) {
	addSamples(f, "bind")
	f.Fuzz(func(t *testing.T, text []byte) {
		read := func(string) ([]byte, error) { return text, nil }
		for _, o := range []BINDOptions{
			{Zones: []ZoneFile{{Name: "db.example.com", Text: text}}, Read: read},
			{NamedName: "named.conf", Named: text, Read: read},
		} {
			if r, err := BINDZones(o); err == nil && !strings.Contains(string(r.Document), "file:") {
				wellFormed(t, append(r.Document, "sites: [{name: any, address: 192.0.2.1}]\n"...))
			}
		}
	})
}
