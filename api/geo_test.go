package api

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"fairlead/api/resource"
)

// testGeo has a file that is fine, and one that never could be read.
func testGeo() []GeoStatus {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return []GeoStatus{
		{File: "own.csv", Format: "netscaler", Used: true, Entries: 7, Octets: 99, Changed: at, Loaded: at, Loads: 2},
		{File: "city.mmdb", Format: "mmdb", Failure: "read location file city.mmdb: no such file or directory", FailedAt: at, Refusals: 1},
	}
}

func TestLocationFiles(t *testing.T) {
	f := newFixture(t, nil)
	got := get[resource.GeoFileList](t, f, "/v1/status/locations")
	if len(got.Files) != 2 || got.At.IsZero() {
		t.Fatalf("got %+v", got)
	}
	if a := got.Files[0]; !a.Used || a.Entries != 7 || a.Built != nil || a.Changed == nil || a.Failure != "" {
		t.Errorf("the good file is %+v", a)
	}
	if b := got.Files[1]; b.Used || b.Loaded != nil || b.Failure == "" {
		t.Errorf("the missing file is %+v", b)
	}
	none := newFixture(t, func(o *Options) { o.Geo = nil })
	if got := get[resource.GeoFileList](t, none, "/v1/status/locations"); got.Files == nil || len(got.Files) != 0 {
		t.Errorf("without files: got %+v", got)
	}
}

func TestRankSites(t *testing.T) {
	sites := []resource.Nearness{{Site: "unknown"}, {Site: "far", Rank: 3}, {Site: "near", Rank: 7}, {Site: "farther", Rank: 1}, {Site: "near too", Rank: 7}}
	rankSites(sites)
	want := []resource.Nearness{{Site: "near", Rank: 1}, {Site: "near too", Rank: 1}, {Site: "far", Rank: 3}, {Site: "farther", Rank: 4}, {Site: "unknown"}}
	if !slices.Equal(sites, want) {
		t.Errorf("got %+v, want %+v", sites, want)
	}
}

func TestLocate(t *testing.T) {
	f := newFixture(t, nil)
	got := get[resource.Located](t, f, "/v1/locate?address=192.0.2.77")
	if got.Address.String() != "192.0.2.77" || len(got.Sites) == 0 || got.Sources == nil {
		t.Errorf("got %+v", got)
	}
	for i := 1; i < len(got.Sites); i++ {
		if rank := got.Sites[i].Rank; rank != 0 && rank < got.Sites[i-1].Rank {
			t.Errorf("sites are not the closest first: %+v", got.Sites)
		}
	}
	for _, query := range []string{"", "?address=", "?address=nobody", "?address=fe80::1%25eth0", "?address=192.0.2.1&x=1"} {
		if w := f.request(http.MethodGet, "/v1/locate"+query, ""); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%q: got %d, want %d", query, w.Code, http.StatusUnprocessableEntity)
		}
	}
}
