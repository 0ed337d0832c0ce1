package node

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fairlead/config/geodata"
)

// TestGeoDigests: equal files have equal digests wherever they are, and while a file is being replaced that of the one in use
// stays.
func TestGeoDigests(t *testing.T) {
	const head = "NSGEO1.0\nContext=geographic\nStart\n"
	write := func(dir, text string, at time.Time) string {
		t.Helper()
		path := filepath.Join(dir, "own.csv")
		if err := os.WriteFile(path, []byte(head+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return path
	}
	load := func(path string) *geodata.Table {
		t.Helper()
		table, err := geodata.Load(context.Background(), []geodata.File{{Path: path, Format: "netscaler"}})
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	now := time.Unix(1_800_000_000, 0)
	const one, other = "127.0.0.0,127.255.255.255,NA,US,,,,,,\n", "127.0.0.0,127.255.255.255,EU,NL,,,,,,\n"
	first, second := t.TempDir(), t.TempDir()
	var a, b geoDigests
	if got := a.of(nil, now); got != nil {
		t.Errorf("without a table: %+v", got)
	}
	table := load(write(first, one, now))
	at, same := a.of(table, now), b.of(load(write(second, one, now.Add(-time.Hour))), now)
	if len(at) != 1 || len(same) != 1 || at[0].Digest == 0 || at[0].Digest != same[0].Digest || at[0].Name != "own.csv" || !at[0].Made.Equal(now) {
		t.Fatalf("got %+v and %+v", at, same)
	}
	table = load(filepath.Join(first, "own.csv"))
	write(first, other, now.Add(time.Minute))
	if got := a.of(table, now); got[0].Digest != at[0].Digest {
		t.Errorf("a file that is being replaced: %+v", got)
	}
	if got := a.of(load(filepath.Join(first, "own.csv")), now.Add(time.Minute)); got[0].Digest == at[0].Digest || !got[0].Loaded.Equal(now.Add(time.Minute)) {
		t.Errorf("a file that was replaced: %+v", got)
	}
}
