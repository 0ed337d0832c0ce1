package convert_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/internal/convert"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with a file beside the samples.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// findings is what a conversion has to say, a line each.
func findings(r *convert.Result) []byte {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintln(&b, f)
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Passed)) {
		fmt.Fprintf(&b, "passed: %s: %d\n", kind, r.Passed[kind])
	}
	return []byte(b.String())
}

// noSecrets fails where a text has what the samples call a secret.
func noSecrets(t *testing.T, what string, text []byte) {
	t.Helper()
	for _, secret := range []string{"SECRET", "5e884898da28", "4c1f0b2e", "0a1b2c3d", "Z3NsYjpzZWNyZXQ"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%s has the secret %q:\n%s", what, secret, text)
		}
	}
}

func sample(t *testing.T, name string) *convert.Result {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "netscaler", name+".conf"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := convert.NetScaler(convert.NetScalerOptions{Name: name + ".conf", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestNetScalerSamples converts whole configurations. What comes out loads and compiles, and has no secret in it.
func TestNetScalerSamples(t *testing.T) {
	for _, name := range []string{"two-data-centres", "parent-child", "monitors", "plain"} {
		t.Run(name, func(t *testing.T) {
			r := sample(t, name)
			path := filepath.Join("testdata", "netscaler", name)
			golden(t, path+".yaml", r.Document)
			golden(t, path+".findings", findings(r))
			noSecrets(t, "the document", r.Document)
			noSecrets(t, "the findings", findings(r))
			compiled(t, r)
			if got, want := r.Complete(), name == "plain"; got != want {
				t.Errorf("complete: got %v, want %v", got, want)
			}
		})
	}
}

// compiled is the plan of a result's document.
func compiled(t *testing.T, r *convert.Result) *gslb.Plan {
	t.Helper()
	doc, report := config.Parse(config.Source{Name: "document", Text: r.Document})
	if doc == nil {
		t.Fatalf("the document does not load: %v", report.Err())
	}
	plan, err := gslb.Compile(doc.Expanded(nil), gslb.CompileOptions{})
	if err != nil {
		t.Fatalf("the document does not compile: %v", err)
	}
	return plan
}

func TestBINDSamples(t *testing.T) {
	read := func(name string) ([]byte, error) {
		text, err := os.ReadFile(filepath.Join("testdata", "bind", strings.TrimPrefix(name, "zones/")))
		if err != nil {
			return nil, errors.New("it cannot be read")
		}
		return text, nil
	}
	zone, _ := read("db.example.com")
	named, _ := read("named.conf")
	for _, test := range []struct {
		name string
		o    convert.BINDOptions
	}{
		{"zone", convert.BINDOptions{Zones: []convert.ZoneFile{{Name: "db.example.com", Text: zone}}}},
		{"file", convert.BINDOptions{Zones: []convert.ZoneFile{{Name: "some", Zone: "Example.COM", Text: zone}}, AsFile: true}},
		{"named", convert.BINDOptions{NamedName: "named.conf", Named: named, Read: read}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := convert.BINDZones(test.o)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "bind", test.name)
			golden(t, path+".yaml", r.Document)
			golden(t, path+".findings", findings(r))
			noSecrets(t, "the document", r.Document)
			noSecrets(t, "the findings", findings(r))
		})
	}
}
