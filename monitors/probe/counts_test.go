package probe

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
)

// TestCounts: each probe is counted once, by its kind and by how it ended.
func TestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status, wait := "200 OK", time.Duration(0)
		p := New(Options{DialContext: pipeNet(func(c net.Conn) {
			if status == "" {
				return
			}
			time.Sleep(wait)
			_, _ = io.WriteString(c, "HTTP/1.1 "+status+"\r\nContent-Length: 0\r\n\r\n")
		})})
		m := httpMonitor(config.HTTPProbe{Path: "/", Method: "GET"})
		m.DrainOn, m.MaxResponseTime = &config.DrainOn{Status: []string{"429"}}, config.Duration(time.Second)
		ask := func(says string, after time.Duration) {
			status, wait = says, after
			p.Probe(t.Context(), Target{Monitor: &m, Address: netip.MustParseAddrPort("192.0.2.1:80")})
		}
		ask("200 OK", 0)
		ask("200 OK", 3*time.Millisecond)
		ask("429 No", 0)
		ask("500 No", 0)
		ask("200 OK", 1500*time.Millisecond)
		ask("", 0)
		m.Reverse = true
		ask("200 OK", 0)
		got := p.Counts()
		if len(got) != 1 || got[0].Type != config.MonitorHTTP {
			t.Fatalf("got %+v, want http alone", got)
		}
		want := [outcomes]uint64{Passed: 2, Drained: 1, Slow: 1, Unlike: 2, NoAnswer: 1}
		if got[0].Outcomes != want || got[0].Sum != 1503*time.Millisecond {
			t.Errorf("got %v in %v, want %v", got[0].Outcomes, got[0].Sum, want)
		}
		bounds := DurationBounds()
		for i, n := range got[0].Durations {
			want := uint64(0)
			switch {
			case i == 0:
				want = 5
			case bounds[min(i, len(bounds)-1)] == 4*time.Millisecond, i < len(bounds) && bounds[i] == 2048*time.Millisecond:
				want = 1
			}
			if n != want {
				t.Errorf("bucket %d: got %d, want %d", i, n, want)
			}
		}
	})
}

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name string
		r    Result
		err  error
		want string
	}{
		{"passed", Result{OK: true}, nil, "passed"}, {"turned round", Result{OK: true}, unlike("x"), "passed"},
		{"failed by reverse", Result{}, nil, "unexpected"}, {"other answer", Result{}, unlike("x"), "unexpected"},
		{"no answer", Result{}, errors.New("x"), "no-answer"}, {"drained", Result{OK: true, Drain: true}, nil, "drained"},
		{"slow", Result{Slow: true}, nil, "slow"},
	} {
		if got := outcomeOf(&c.r, c.err).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
