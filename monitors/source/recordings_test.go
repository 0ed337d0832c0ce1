package source

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"fairlead/config"
	"fairlead/monitors/metric"
)

// TestRecordingsOfOthers reads the recordings in the directory that FAIRLEAD_RECORDINGS names. Its expect.json, described in
// testdata/README.md, says what each must give, and nothing more.
func TestRecordingsOfOthers(t *testing.T) {
	dir := os.Getenv("FAIRLEAD_RECORDINGS")
	if dir == "" {
		t.Skip("FAIRLEAD_RECORDINGS names no directory of recordings")
	}
	var expected []struct {
		File, Path, Source, Backend string
		Want                        map[string]float64
	}
	text, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	if err == nil {
		err = json.Unmarshal(text, &expected)
	}
	if err != nil || len(expected) == 0 {
		t.Fatalf("%d recordings are expected: %v", len(expected), err)
	}
	for _, e := range expected {
		t.Run(e.File+" "+e.Backend, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("/base"+e.Path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, filepath.Join(dir, e.File)) })
			s := httptest.NewServer(mux)
			defer s.Close()
			r := New(Options{})
			defer r.Close()
			src := config.LoadSource{Source: config.LoadKind(e.Source), Backend: e.Backend, URL: s.URL + "/base"}
			got, err := r.Read(context.Background(), &Target{Service: "web", Source: src})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range metric.All() {
				value, told := got.Get(m)
				want, expected := e.Want[m.String()]
				if told != expected || math.Abs(value-want) > 1e-9*math.Max(1, want) {
					t.Errorf("%s: got %v (told %v), want %v (told %v)", m, value, told, want, expected)
				}
			}
		})
	}
}
