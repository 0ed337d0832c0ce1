package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"
)

// report is the whole output. The JSON names are stable.
type report struct {
	Date       string                  `json:"date"`
	System     string                  `json:"system"`
	Settings   reportSettings          `json:"settings"`
	Servers    map[string]installation `json:"servers"`
	Workloads  []*outcome              `json:"workloads"`
	Conditions []string                `json:"conditions"`
}

type reportSettings struct {
	Repetitions          int     `json:"repetitions"`
	Seconds              float64 `json:"seconds"`
	ServerCPU            int     `json:"server_cpu"`
	GeneratorCPU         int     `json:"generator_cpu"`
	Sockets              int     `json:"sockets"`
	Outstanding          int     `json:"outstanding"`
	ReceiveBufferDefault int     `json:"rmem_default"`
}

// outcome is what one workload gave.
type outcome struct {
	Name       string             `json:"name"`
	About      string             `json:"about"`
	Names      int                `json:"names"`
	Contenders []*contenderResult `json:"contenders"`
	Ratios     []ratioResult      `json:"ratios"` // of each peer to Fairlead
	Verdicts   []verdict          `json:"verdicts,omitempty"`
	Skipped    []string           `json:"skipped,omitempty"`
}

type contenderResult struct {
	Label      string   `json:"label"`
	Program    string   `json:"program"`
	Samples    []sample `json:"samples"`
	Ready      float64  `json:"ready_seconds,omitempty"`
	PSSLoaded  int64    `json:"pss_loaded_octets,omitempty"`
	PSSQueried int64    `json:"pss_queried_octets,omitempty"`
}

// ratioResult compares Fairlead with one peer, pair by pair: above 1 Fairlead needs less CPU time, answers more.
type ratioResult struct {
	Peer string  `json:"peer"`
	CPU  spread  `json:"cpu"` // the peer's CPU time by Fairlead's
	QPS  spread  `json:"qps"` // Fairlead's answers by the peer's
	Bar  float64 `json:"bar,omitempty"`
	Met  *bool   `json:"met,omitempty"`
}

// verdict is a bar that is not a ratio of CPU times.
type verdict struct {
	What string `json:"what"`
	Met  bool   `json:"met"`
}

func newReport(s *settings, installed map[string]installation) *report {
	return &report{
		Date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), System: runtime.GOOS + "/" + runtime.GOARCH, Servers: installed,
		Settings: reportSettings{s.repetitions, s.seconds.Seconds(), s.serverCPU, s.generatorCPU, s.sockets, s.outstanding, receiveBufferDefault()},
		Conditions: []string{
			fmt.Sprintf("Fairlead: one worker, cookies on, counters on, rate limiting on at %d responses a second: all are counted, none is limited", rateLimit),
			"CPU per query: run time of all threads of the server's processes (schedstat) by right answers",
		},
	}
}

func (r *report) writeHead(w io.Writer) {
	s := r.Settings
	fmt.Fprintf(w, "%s, %s; server on CPU %d, generator on CPU %d; %d repetitions of %.1f s, interleaved; %d sockets x %d outstanding; net.core.rmem_default %d\n",
		r.Date, r.System, s.ServerCPU, s.GeneratorCPU, s.Repetitions, s.Seconds, s.Sockets, s.Outstanding, s.ReceiveBufferDefault)
	for _, c := range r.Conditions {
		fmt.Fprintln(w, c)
	}
	for _, name := range []string{"fairlead", "gdnsd", "nsd", "knot", "pdns", "bind", "coredns"} {
		if i, ok := r.Servers[name]; ok {
			fmt.Fprintf(w, "%s: %s, %s", name, i.Version, i.Path)
			if i.Note != "" {
				fmt.Fprintf(w, " (%s)", i.Note)
			}
			fmt.Fprintln(w)
		}
	}
}

func (r *report) writeJSON(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func (o *outcome) last() *contenderResult { return o.Contenders[len(o.Contenders)-1] }

func (o *outcome) find(label string) *contenderResult {
	for _, c := range o.Contenders {
		if c.Label == label {
			return c
		}
	}
	return nil
}

func (c *contenderResult) values(of func(sample) float64) []float64 {
	var v []float64
	for _, s := range c.Samples {
		v = append(v, of(s))
	}
	return v
}

func cpuOf(s sample) float64 { return s.CPU }
func qpsOf(s sample) float64 { return s.QPS }
func p50Of(s sample) float64 { return s.P50 }

// judge computes the ratios and holds them against the bars.
func (o *outcome) judge() {
	ours := o.find("fairlead")
	if ours == nil {
		return
	}
	for _, peer := range o.Contenders {
		if peer == ours {
			continue
		}
		r := ratioResult{
			Peer: peer.Label, Bar: barOf(o.Name, peer.Label),
			CPU: spreadOf(ratios(peer.values(cpuOf), ours.values(cpuOf))),
			QPS: spreadOf(ratios(ours.values(qpsOf), peer.values(qpsOf))),
		}
		if r.Bar > 0 && r.CPU.Median > 0 {
			met := r.CPU.Median >= r.Bar
			r.Met = &met
		}
		o.Ratios = append(o.Ratios, r)
	}
	peer := o.find(closestPeer)
	switch {
	case peer == nil:
	case o.Name == "latency":
		a, b := spreadOf(ours.values(p50Of)).Median, spreadOf(peer.values(p50Of)).Median
		o.Verdicts = append(o.Verdicts, verdict{fmt.Sprintf("p50 not above %s: %.1f us, %.1f us", closestPeer, a, b), a <= b})
	case o.Name == "million":
		o.Verdicts = append(o.Verdicts,
			verdict{fmt.Sprintf("ready no later than %s: %.2f s, %.2f s", closestPeer, ours.Ready, peer.Ready), ours.Ready <= peer.Ready},
			verdict{fmt.Sprintf("memory after load no more than %s: %d MiB, %d MiB", closestPeer, ours.PSSLoaded>>20, peer.PSSLoaded>>20), ours.PSSLoaded <= peer.PSSLoaded},
			verdict{fmt.Sprintf("memory after queries no more than %s: %d MiB, %d MiB", closestPeer, ours.PSSQueried>>20, peer.PSSQueried>>20), ours.PSSQueried <= peer.PSSQueried})
	}
}

// write prints the tables of one workload.
func (o *outcome) write(w io.Writer) {
	fmt.Fprintf(w, "\n%s: %s; %d names\n", o.Name, o.About, o.Names)
	for _, s := range o.Skipped {
		fmt.Fprintf(w, "skipped: %s\n", s)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "server\tCPU us/query\tanswers/s\tp50 us\tlost\twrong\tgenerator")
	for _, c := range o.Contenders {
		var sent, lost, wrong uint64
		for _, s := range c.Samples {
			sent, lost, wrong = sent+s.Sent, lost+s.Lost, wrong+s.Wrong
		}
		cpu, qps, p50 := spreadOf(c.values(cpuOf)), spreadOf(c.values(qpsOf)), spreadOf(c.values(p50Of))
		used := spreadOf(c.values(func(s sample) float64 { return s.Used }))
		fmt.Fprintf(tw, "%s\t%.3f [%.3f..%.3f]\t%.0f [%.0f..%.0f]\t%.0f\t%.3f %%\t%d\t%.0f %%\n", c.Label,
			cpu.Median, cpu.Min, cpu.Max, qps.Median, qps.Min, qps.Max, p50.Median, 100*float64(lost)/float64(max(sent, 1)), wrong, 100*used.Median)
	}
	_ = tw.Flush()
	o.writeGrowth(w)
	fmt.Fprintln(tw, "fairlead against\tCPU ratio\tbar\t\tanswers ratio")
	for _, r := range o.Ratios {
		if r.CPU.Median == 0 {
			fmt.Fprintf(tw, "%s\tno pair of runs with answers\n", r.Peer)
			continue
		}
		least, met := "-", ""
		if r.Met != nil {
			least, met = fmt.Sprintf("%.2f", r.Bar), words(*r.Met)
		}
		fmt.Fprintf(tw, "%s\t%.2f [%.2f..%.2f]\t%s\t%s\t%.2f [%.2f..%.2f]\n", r.Peer, r.CPU.Median, r.CPU.Min, r.CPU.Max, least, met, r.QPS.Median, r.QPS.Min, r.QPS.Max)
	}
	_ = tw.Flush()
	for _, v := range o.Verdicts {
		fmt.Fprintf(w, "%s: %s\n", v.What, words(v.Met))
	}
}

// writeGrowth prints start and memory.
func (o *outcome) writeGrowth(w io.Writer) {
	if o.Name != "million" {
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "server\tready s\tPSS loaded MiB\tPSS queried MiB")
	for _, c := range o.Contenders {
		fmt.Fprintf(tw, "%s\t%.2f\t%d\t%d\n", c.Label, c.Ready, c.PSSLoaded>>20, c.PSSQueried>>20)
	}
	_ = tw.Flush()
}

func words(met bool) string {
	if met {
		return "met"
	}
	return "NOT MET"
}
