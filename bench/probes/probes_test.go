package main

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test's binary be the targets, as the program itself is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestMeasure: every target answers, at its interval, and the process's own usage is seen.
func TestMeasure(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
	for _, kind := range []string{"tcp", "http"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := plan{kind: kind, targets: 100, churn: 10, interval: 200 * time.Millisecond, measured: time.Second}
			f, err := measure(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if f.failed > 0 || f.probes < 200 || f.probes > 1000 {
				t.Errorf("%d probes, %d failed: want about 500, none failed", f.probes, f.failed)
			}
			if f.user+f.kernel <= 0 || f.peakMiB <= 0 || f.max < f.p50 {
				t.Errorf("figures %+v", f)
			}
			if row := f.row(); strings.Count(row, "|") != 12 {
				t.Errorf("row %q, want 11 cells", row)
			}
		})
	}
}

func TestRowSaysWhatIsAbove(t *testing.T) {
	good := figures{plan: plan{kind: "tcp"}, user: time.Second, kernel: time.Second, took: 20 * time.Second, peakMiB: 50, p99: time.Millisecond, probes: 40_000}
	slow, busy, big := good, good, good
	slow.p99, busy.kernel, big.peakMiB = time.Second, 5*time.Second, 300
	for _, tt := range []struct {
		name string
		f    figures
		want string
	}{{"good", good, "within"}, {"slow", slow, "above"}, {"busy", busy, "above"}, {"big", big, "above"}} {
		if row := tt.f.row(); !strings.Contains(row, "| "+tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, row, tt.want)
		}
	}
	if row := good.row(); !strings.Contains(row, "| 10.0 % | 50 µs | 25 µs, 25 µs |") {
		t.Errorf("row %s", row)
	}
}

func TestPlanIsChecked(t *testing.T) {
	good := plan{kind: "tcp,http", targets: 10, interval: time.Second, measured: time.Second}
	none, churn, fast, short, unknown := good, good, good, good, good
	unknown.kind = "tcp,fax"
	none.targets, churn.churn, fast.interval, short.measured = 0, 11, time.Millisecond, time.Millisecond
	for i, p := range []plan{none, churn, fast, short, unknown} {
		if p.validate() == nil {
			t.Errorf("plan %d: %+v passes", i, p)
		}
	}
	if err := good.validate(); err != nil {
		t.Error(err)
	}
}
