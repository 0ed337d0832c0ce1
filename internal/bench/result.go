package bench

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/miekg/dns"
)

// Result is what a run measured. Sent = Answered + Wrong + Lost. The JSON names are stable.
type Result struct {
	Target      string            `json:"target"`
	Transport   Transport         `json:"transport"`
	Mode        string            `json:"mode"` // max or rate
	Rate        float64           `json:"rate,omitempty"`
	Sockets     int               `json:"sockets"`
	Outstanding int               `json:"outstanding"`
	Seconds     float64           `json:"seconds"` // of sending, without the warm-up
	Interrupted bool              `json:"interrupted"`
	Sent        uint64            `json:"sent"`
	Answered    uint64            `json:"answered"`
	Lost        uint64            `json:"lost"`
	Wrong       uint64            `json:"wrong"`
	WrongBy     map[string]uint64 `json:"wrong_by,omitempty"`
	Rcodes      map[string]uint64 `json:"rcodes"`
	Unexpected  uint64            `json:"unexpected"`  // messages that answer nothing outstanding
	Unsent      uint64            `json:"unsent"`      // due in rate mode, but not sent before the end
	SendErrors  uint64            `json:"send_errors"` // the kernel or the connection refused
	Reconnects  uint64            `json:"reconnects"`
	QPS         float64           `json:"qps"` // right answers per second
	Latency     Latency           `json:"latency_us"`
	Generator   Effort            `json:"generator"`
}

// Latency is in microseconds, of right answers. In rate mode it counts from the time at which a query was due.
type Latency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

// Effort is what the generator itself used, the warm-up included.
type Effort struct {
	Engine               string  `json:"engine"`
	Threads              int     `json:"threads"`
	CPUSeconds           float64 `json:"cpu_seconds"`
	IdleSeconds          float64 `json:"idle_seconds"` // of them, about: spent on looking for answers that were not there yet
	MicrosecondsPerQuery float64 `json:"us_per_query"` // without that
}

// result adds up the workers' counters after they have ended.
func (g *Generator) result() *Result {
	var sum tally
	sum.latency = newHistogram()
	until := time.Duration(math.MaxInt64)
	for _, w := range g.workers {
		sum.add(&w.tally)
		until = min(until, w.until)
	}
	r := &Result{
		Target: g.o.Target.String(), Transport: g.o.Transport, Mode: "max", Rate: g.o.Rate,
		Sockets: g.o.Sockets, Outstanding: g.o.Outstanding,
		Seconds: round(max(until-g.o.Warmup, 0).Seconds(), 6),
		Sent:    sum.sent, Answered: sum.answered, Lost: sum.lost, Wrong: sum.wrongs(),
		Unexpected: sum.unexpected, Unsent: sum.unsent, SendErrors: sum.sendErrors, Reconnects: sum.reconnects,
		Rcodes: map[string]uint64{},
	}
	if g.o.Rate > 0 {
		r.Mode = "rate"
	}
	for code, n := range sum.rcodes {
		if n > 0 {
			name, ok := dns.RcodeToString[code]
			if !ok {
				name = fmt.Sprintf("RCODE%d", code)
			}
			r.Rcodes[name] = n
		}
	}
	for kind, n := range sum.wrong {
		if n > 0 {
			if r.WrongBy == nil {
				r.WrongBy = map[string]uint64{}
			}
			r.WrongBy[faultNames[kind]] = n
		}
	}
	if r.Seconds > 0 {
		r.QPS = round(float64(r.Answered)/r.Seconds, 1)
	}
	h := sum.latency
	r.Latency = Latency{
		Mean: microseconds(h.mean()), P50: microseconds(h.quantile(.5)), P90: microseconds(h.quantile(.9)),
		P99: microseconds(h.quantile(.99)), P999: microseconds(h.quantile(.999)), Max: microseconds(h.max),
	}
	r.Generator = Effort{Engine: g.engine, Threads: g.o.Threads, IdleSeconds: round(sum.idle.Seconds(), 6)}
	if g.engine == enginePortable {
		r.Generator.Threads = len(g.workers)
	}
	return r
}

func microseconds(d time.Duration) float64 { return round(float64(d)/float64(time.Microsecond), 1) }

func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}

// Write prints the result for people.
func (r *Result) Write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(tw, name+"\t"+format+"\n", args...) }
	line("target", "%s over %s, %d sockets x %d outstanding", r.Target, r.Transport, r.Sockets, r.Outstanding)
	if r.Mode == "rate" {
		line("rate wanted", "%.0f/s", r.Rate)
	}
	line("answered", "%d in %.2f s = %.0f/s", r.Answered, r.Seconds, r.QPS)
	line("sent", "%d", r.Sent)
	line("lost", "%d (%.4f %%)", r.Lost, share(r.Lost, r.Sent))
	line("wrong", "%s", strings.TrimSpace(fmt.Sprintf("%d  %s", r.Wrong, details(r.WrongBy))))
	line("rcodes", "%s", details(r.Rcodes))
	for _, extra := range []struct {
		name string
		n    uint64
	}{{"unexpected", r.Unexpected}, {"not sent in time", r.Unsent}, {"send errors", r.SendErrors}, {"reconnects", r.Reconnects}} {
		if extra.n > 0 {
			line(extra.name, "%d", extra.n)
		}
	}
	l := r.Latency
	line("latency us", "p50 %.0f  p90 %.0f  p99 %.0f  p99.9 %.0f  max %.0f  mean %.0f", l.P50, l.P90, l.P99, l.P999, l.Max, l.Mean)
	line("generator", "%s, %d threads, %.2f us of CPU per query", r.Generator.Engine, r.Generator.Threads, r.Generator.MicrosecondsPerQuery)
	if r.Interrupted {
		line("note", "interrupted before its end")
	}
	return tw.Flush()
}

func share(part, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(part) / float64(of)
}
