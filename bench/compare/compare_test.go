package main

import (
	"context"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   spread
	}{
		{"none", nil, spread{}},
		{"one", []float64{2}, spread{2, 2, 2}},
		{"odd", []float64{3, 1, 2}, spread{2, 1, 3}},
		{"even", []float64{4, 1, 2, 3}, spread{2.5, 1, 4}},
		{"runs without a result", []float64{0, 5, 0, 3, 4}, spread{4, 3, 5}},
		{"only such", []float64{0, 0}, spread{}},
	} {
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRatios(t *testing.T) {
	got := ratios([]float64{2, 3, 0, 8}, []float64{1, 2, 1})
	if !slices.Equal(got, []float64{2, 1.5}) {
		t.Errorf("got %v, want 2 and 1.5: pairs by repetition, none with a 0", got)
	}
}

func TestSchedstat(t *testing.T) {
	if got, err := parseSchedstat("1273271086 4760136282 1906\n"); err != nil || got != 1273271086*time.Nanosecond {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "\n", "x 1 2", "-1 0 0"} {
		if got, err := parseSchedstat(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

func TestPSS(t *testing.T) {
	const text = "55d0c0a00000-7ffd1b5f7000 ---p 00000000 00:00 0    [rollup]\nRss:                4100 kB\nPss:                1234 kB\nPss_Dirty:           90 kB\n"
	if got, err := parsePSS(text); err != nil || got != 1234<<10 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parsePSS("Rss: 1 kB\n"); err == nil {
		t.Error("no error for a text without Pss")
	}
}

// TestJudge holds ratios and bars: above 1 means that Fairlead is better.
func TestJudge(t *testing.T) {
	samples := func(cpu ...float64) (s []sample) {
		for _, c := range cpu {
			s = append(s, sample{CPU: c, QPS: 1e6 / c, P50: 10 * c})
		}
		return s
	}
	o := outcome{Name: "rr4", Contenders: []*contenderResult{
		{Label: "fairlead", Samples: samples(1, 2, 1)},
		{Label: "gdnsd weighted", Samples: samples(1.2, 2.3, 1.2)},
		{Label: "nsd", Samples: samples(1.2, 2.4, 1.2)},
		{Label: "pdns", Samples: samples(3, 4, 5)},
	}}
	o.judge()
	want := []struct {
		peer   string
		median float64
		met    string
	}{{"gdnsd weighted", 1.2, "met"}, {"nsd", 1.2, "NOT MET"}, {"pdns", 3, "-"}}
	for i, w := range want {
		r := o.Ratios[i]
		met := "-"
		if r.Met != nil {
			met = words(*r.Met)
		}
		if r.Peer != w.peer || r.CPU.Median != w.median || met != w.met || r.QPS.Median < 1 {
			t.Errorf("got %+v (%s), want %+v", r, met, w)
		}
	}
	latency := outcome{Name: "latency", Contenders: []*contenderResult{
		{Label: "fairlead", Samples: samples(2)}, {Label: "gdnsd", Samples: samples(1)}}}
	latency.judge()
	if len(latency.Verdicts) != 1 || latency.Verdicts[0].Met {
		t.Errorf("got %+v, want a p50 that is too high", latency.Verdicts)
	}
}

// TestBarsHavePeers finds bars for a contender that no workload has.
func TestBarsHavePeers(t *testing.T) {
	all := workloads(&settings{names: 1, million: 1})
	for _, b := range bars() {
		if !slices.ContainsFunc(all[b.workload].contenders, func(c contender) bool { return c.label == b.peer }) {
			t.Errorf("workload %q has no contender %q", b.workload, b.peer)
		}
	}
	if len(all) != len(workloadNames()) {
		t.Errorf("got %d workloads, want %v", len(all), workloadNames())
	}
	for name, w := range all {
		labels := map[string]bool{}
		for _, c := range w.contenders {
			if _, ok := programs()[c.program]; !ok || labels[c.label] {
				t.Errorf("%s: contender %q: no such program, or its label is taken", name, c.label)
			}
			labels[c.label] = true
		}
		if q, err := w.queries(); err != nil || q.Len() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGeoMap(t *testing.T) {
	count, used := 0, map[int]bool{}
	var last netip.Prefix
	geoMap(func(p netip.Prefix, at int) {
		if p != p.Masked() || last.IsValid() && last.Overlaps(p) {
			t.Fatalf("%v overlaps %v or is not masked", p, last)
		}
		last = p
		used[at] = true
		count++
	})
	if count != 223<<(mapBits-8) || len(used) != len(places()) {
		t.Errorf("got %d prefixes with %d places", count, len(used))
	}
}

// TestConfigurations writes the files of every contender. What the servers think of them is seen when they run; here the
// files are complete, and name their port and zone.
func TestConfigurations(t *testing.T) {
	for name, w := range workloads(&settings{names: 3, million: 3}) {
		for _, c := range w.contenders {
			s := &site{dir: filepath.Join(t.TempDir(), "x"), port: 15353, api: 15354, names: 3, probed: 15355}
			start, err := c.write(s)
			if err != nil || len(start.args) == 0 {
				t.Errorf("%s, %s: %v, %v", name, c.label, start, err)
				continue
			}
			all := readTree(t, s.dir)
			for _, word := range []string{"15353", zoneName, "h000002"} {
				if !strings.Contains(all, word) {
					t.Errorf("%s, %s: no %q in its files", name, c.label, word)
				}
			}
			if strings.Contains(all, "%!") || strings.Contains(all, "h000003") {
				t.Errorf("%s, %s: a bad format or one name too many:\n%s", name, c.label, all)
			}
		}
	}
}

func readTree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		b.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFlags(t *testing.T) {
	if s, err := parseFlags([]string{"-workloads", "rr4,tcp", "-repetitions", "3"}, io.Discard); err != nil || len(s.workloads) != 2 || s.repetitions != 3 {
		t.Errorf("got %+v, %v", s, err)
	}
	for _, bad := range [][]string{
		{"-workloads", "all"}, {"-servers", "windows"}, {"-repetitions", "0"}, {"-seconds", "1ms"}, {"-names", "0"}, {"-rmem", "-1"}, {"more"},
	} {
		if _, err := parseFlags(bad, io.Discard); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

func TestMissingServersAreSkipped(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var out strings.Builder
	s := settings{servers: []string{"coredns"}}
	if found := s.find(context.Background(), &out); len(found) > 0 {
		t.Skipf("coredns is outside PATH on this machine: %v", found)
	}
	if !strings.Contains(out.String(), "skipped: coredns") {
		t.Errorf("got %q, want the reason", out.String())
	}
}
