package config

import (
	"bytes"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fairlead/config/zonedata"
)

// sameDocument compares documents but for the order of their lists of objects, which the objects' names decide.
var sameDocument = []cmp.Option{
	cmpopts.EquateEmpty(),
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
	cmp.Comparer(func(a, b *zonedata.Zone) bool {
		return (a == nil) == (b == nil) && (a == nil || a.Records() == b.Records() && bytes.Equal(a.Origin(), b.Origin()))
	}),
}

// byName returns a document with its objects in the order of an assembled one.
func byName(d *Document) *Document {
	out := *d
	out.Zones = slices.SortedFunc(slices.Values(d.Zones), func(a, b Zone) int {
		return strings.Compare(zoneObjectName(a.Name, a.Views), zoneObjectName(b.Name, b.Views))
	})
	out.Sites = sortedByName(d.Sites, func(o Site) string { return o.Name })
	out.Monitors = sortedByName(d.Monitors, func(o Monitor) string { return o.Name })
	out.Services = sortedByName(d.Services, func(o Service) string { return o.Name })
	out.ServiceGroups = sortedByName(d.ServiceGroups, func(o ServiceGroup) string { return o.Name })
	out.VirtualServers = sortedByName(d.VirtualServers, func(o VirtualServer) string { return o.Name })
	out.Locations = sortedByName(d.Locations, func(o Location) string { return o.Prefix.String() })
	return &out
}

func sortedByName[T any](objects []T, name func(T) string) []T {
	return slices.SortedFunc(slices.Values(objects), func(a, b T) int { return strings.Compare(name(a), name(b)) })
}

func TestObjectsOfEveryExample(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		src, err := ReadSource(path)
		if err != nil {
			t.Fatal(err)
		}
		if roundTrip(t, path, src) {
			seen++
		}
		return nil
	})
	if err != nil || seen < 10 {
		t.Fatalf("%d documents were looked at, error %v", seen, err)
	}
}

func TestObjectsOfEveryBlockInDocs(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("../docs", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".md") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, block := range strings.Split(string(text), "```yaml\n")[1:] {
			block, _, _ = strings.Cut(block, "```")
			if roundTrip(t, path, Source{Name: filepath.Base(path) + "#" + string(rune('0'+i%10)), Text: []byte(block)}) {
				seen++
			}
		}
		return nil
	})
	if err != nil || seen == 0 {
		t.Fatalf("%d documents were looked at, error %v", seen, err)
	}
}

// roundTrip takes a valid document apart and puts it together again. It reports whether there was one.
func roundTrip(t *testing.T, name string, src Source) bool {
	t.Helper()
	want, report := Parse(src)
	if report.Errors() > 0 {
		return false
	}
	objects, report := src.Objects()
	if err := report.Err(); err != nil {
		t.Errorf("%s: taking it apart: %v", name, err)
		return true
	}
	got, report := Assemble(objects, AssembleOptions{})
	if err := report.Err(); err != nil {
		t.Errorf("%s: putting it together: %v", name, err)
		return true
	}
	if diff := cmp.Diff(byName(want), got, sameDocument...); diff != "" {
		t.Errorf("%s: documents differ (-parsed +assembled):\n%s", name, diff)
	}
	again, report := objects.Source().Objects()
	if err := report.Err(); err != nil {
		t.Errorf("%s: reading its own text: %v", name, err)
		return true
	}
	if again.ID() != objects.ID() {
		for _, d := range Diff(objects, again) {
			t.Errorf("%s: differs after writing and reading:\n%s", name, DiffText(d.Before, d.After))
		}
	}
	var js bytes.Buffer
	if err := objects.JSON(&js); err != nil {
		t.Fatal(err)
	}
	fromJSON, report := Source{Text: js.Bytes(), Files: objects.Source().Files}.Objects()
	if err := report.Err(); err != nil || fromJSON.ID() != objects.ID() {
		t.Errorf("%s: differs after writing and reading JSON: %v", name, err)
	}
	objects.All(func(o *Object) bool {
		if _, err := ObjectFromCanonical(o.Key(), o.Text()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return true
	})
	return true
}
