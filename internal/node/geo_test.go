package node

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/geodata"
)

const geoHead = "NSGEO1.0\nContext=geographic\nStart\n"

// geoPlace is what a geo says of one address.
func geoPlace(g *geo) string {
	t := g.table.Load()
	if t == nil {
		return ""
	}
	n, _ := t.Lookup(netip.MustParseAddr("10.0.0.1"))
	return t.Place(n)
}

func TestGeoFollowsItsFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "own.csv")
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		changes := 0
		g := newGeo(&config.NodeGeoIP{CSV: []config.NodeGeoCSV{{File: path, Format: "netscaler"}}, Check: config.Duration(time.Minute)}, zap.NewNop(), func() { changes++ })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		if g.first(ctx) {
			t.Fatal("a file that is not there was read")
		}
		go func() { done <- g.run(ctx) }()
		for _, step := range []struct {
			name, text, place string
			changes           int
			failing           bool
		}{
			{"still missing", "", "", 0, true},
			{"it comes", geoHead + "10.0.0.0,10.0.0.255,EU,NL\n", "EU.NL", 1, false},
			{"unchanged", "", "EU.NL", 1, false},
			{"cut off", geoHead + "10.0.0.0,10.0.0.255,EU,", "EU.NL", 1, true},
			{"another format", "network,geoname_id\n", "EU.NL", 1, true},
			{"good again", geoHead + "10.0.0.0,10.0.0.255,NA,US\n", "NA.US", 2, false},
		} {
			if step.text != "" {
				write(step.text)
			}
			time.Sleep(time.Minute + time.Second)
			synctest.Wait()
			status := g.status()[0]
			if got := geoPlace(g); got != step.place || changes != step.changes || (status.Failure != "") != step.failing {
				t.Errorf("%s: got place %q, %d changes, failure %q; want %q, %d, %t", step.name, got, changes, status.Failure, step.place, step.changes, step.failing)
			}
		}
		if s := g.status()[0]; s.Loads != 2 || s.Refusals != 3 || !s.Used || s.Entries != 1 {
			t.Errorf("got %+v", s)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		g.reread()
		synctest.Wait()
		if got := geoPlace(g); got != "NA.US" {
			t.Errorf("the file is gone: got %q, want what it said", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestGeoReadsWhatItMay holds that a file is read when its reader gets the right to, which changes neither its size nor its
// time.
func TestGeoReadsWhatItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "own.csv")
		if err := os.WriteFile(path, []byte(geoHead+"10.0.0.0,10.0.0.255,EU,NL\n"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := os.ReadFile(path); err == nil {
			t.Skip("who runs the tests may read everything")
		}
		g := newGeo(&config.NodeGeoIP{CSV: []config.NodeGeoCSV{{File: path, Format: "netscaler"}}, Check: config.Duration(time.Minute)}, zap.NewNop(), func() {})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		if g.first(ctx) {
			t.Fatal("a file that may not be read was read")
		}
		go func() { done <- g.run(ctx) }()
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if got := geoPlace(g); got != "EU.NL" {
			t.Errorf("got %q, want EU.NL: %+v", got, g.status())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestGeoDoesWithout holds that one bad file at the start does not cost the others.
func TestGeoDoesWithout(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.csv")
	if err := os.WriteFile(good, []byte(geoHead+"10.0.0.0,10.0.0.255,EU,NL\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad.mmdb")
	if err := os.WriteFile(bad, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := newGeo(&config.NodeGeoIP{CSV: []config.NodeGeoCSV{{File: good, Format: "netscaler"}}, Databases: []string{bad}}, zap.NewNop(), func() {})
	if !g.first(t.Context()) || geoPlace(g) != "EU.NL" {
		t.Errorf("got %q, want EU.NL", geoPlace(g))
	}
	if s := g.status(); len(s) != 2 || s[0].Failure != "" || !strings.Contains(s[1].Failure, "damaged or cut off") || s[1].Used {
		t.Errorf("got %+v", s)
	}
}

// TestGeoFormats holds the words of the node file to what can be read.
func TestGeoFormats(t *testing.T) {
	for _, word := range config.GeoFormat("").Enum() {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := geodata.Load(t.Context(), []geodata.File{{Path: path, Format: geodata.Format(word)}})
		if err != nil && strings.Contains(err.Error(), "unknown format") {
			t.Errorf("%s: %v", word, err)
		}
	}
	if geodata.MaxFiles != config.MaxGeoFiles {
		t.Errorf("the limits differ: %d and %d", geodata.MaxFiles, config.MaxGeoFiles)
	}
}
