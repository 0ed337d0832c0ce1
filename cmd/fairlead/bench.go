package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"

	"fairlead/internal/bench"
)

func newBench() *cobra.Command {
	cmd := &cobra.Command{Use: "bench", Short: "Measure servers", Args: cobra.NoArgs, RunE: showHelp}
	cmd.AddCommand(newBenchDNS())
	return cmd
}

// benchFlags are the flags of bench dns that are not bench.Options as they are.
type benchFlags struct {
	o                             bench.Options
	server, transport, mode, cpus string
	names, zone, pattern, types   string
	name                          []string
	count                         int
	edns, do, cookie, recurse     bool
	ecs, rcode                    string
	seed                          uint64
	acceptNegative, allowPublic   bool
	json, progress                bool
}

func newBenchDNS() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "dns",
		Short: "Send a DNS server as many queries as it takes, and check every answer",
		Long: `Sends queries over many sockets and checks every answer: its ID, flags, question, rcode, and that it holds a record.

In mode max each socket keeps --outstanding queries in flight. In mode rate queries are due at fixed times, and latency
counts from the time at which a query was due. Ctrl-C ends the run early and prints what was measured.`,
		Example: `  fairlead bench dns --server 127.0.0.1:5301 --name www.gslb.example.com --edns
  fairlead bench dns --server 127.0.0.1:5301 --zone bench.example --pattern h%06d --count 1000 --cpu 1
  fairlead bench dns --server 127.0.0.1:5301 --names names.txt --mode rate --rate 100000 --ecs random/24 --json
  fairlead bench dns --server 127.0.0.1:5301 --name www.gslb.example.com --transport tcp --duration 30s --progress`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBenchDNS(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.server, "server", "127.0.0.1:53", "server to measure, as address:port")
	flags.BoolVar(&f.allowPublic, "allow-public-target", false, "measure a server outside this machine and private networks: only one that is yours")
	flags.StringVar(&f.names, "names", "", "file with one name a line")
	flags.StringSliceVar(&f.name, "name", nil, "name to ask for; may be repeated")
	flags.StringVar(&f.zone, "zone", "", "zone to make names in, with --pattern and --count")
	flags.StringVar(&f.pattern, "pattern", "h%06d", "names to make in --zone")
	flags.IntVar(&f.count, "count", 1000, "how many names to make in --zone")
	flags.StringVar(&f.types, "types", "A", "record types to ask for, separated by commas")
	flags.StringVar(&f.mode, "mode", "max", "max: as many as possible; rate: --rate queries per second")
	flags.Float64Var(&f.o.Rate, "rate", 0, "queries per second in mode rate")
	flags.IntVar(&f.o.Sockets, "sockets", 32, fmt.Sprintf("sockets or connections (1 to %d)", bench.MaxSockets))
	flags.IntVar(&f.o.Outstanding, "outstanding", 32, fmt.Sprintf("queries in flight per socket (1 to %d)", bench.MaxOutstanding))
	flags.IntVar(&f.o.Batch, "batch", 32, fmt.Sprintf("queries that a socket sends in a row (1 to %d)", bench.MaxBatch))
	flags.IntVar(&f.o.Threads, "threads", 1, fmt.Sprintf("sending threads (1 to %d)", bench.MaxThreads))
	flags.DurationVar(&f.o.Duration, "duration", 10*time.Second, "length of the measurement")
	flags.DurationVar(&f.o.Warmup, "warmup", time.Second, "time before it that is not counted")
	flags.DurationVar(&f.o.Timeout, "timeout", time.Second, "after which a query counts as lost")
	flags.StringVar(&f.transport, "transport", "udp", "udp, tcp or tls")
	flags.BoolVar(&f.edns, "edns", false, "send an OPT record")
	flags.BoolVar(&f.do, "do", false, "set DNSSEC OK")
	flags.BoolVar(&f.cookie, "cookie", false, "send DNS cookies")
	flags.BoolVar(&f.recurse, "recurse", false, "set the recursion desired flag")
	flags.StringVar(&f.ecs, "ecs", "", "client subnets to send: random/24, or a file with one prefix a line")
	flags.StringVar(&f.rcode, "rcode", "NOERROR", "rcode of a right answer")
	flags.BoolVar(&f.acceptNegative, "accept-nxdomain", false, "NXDOMAIN and answers without a record are right as well")
	flags.Uint64Var(&f.seed, "seed", 1, "of the order of queries and of random subnets")
	flags.StringVar(&f.cpus, "cpu", "", "bind the generator to these CPUs: 1 or 1,3 (Linux)")
	flags.BoolVar(&f.o.Portable, "portable", false, "use plain sockets where there is a faster engine")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON")
	flags.BoolVar(&f.progress, "progress", false, "print a line a second on stderr")
	return cmd
}

func runBenchDNS(cmd *cobra.Command, f *benchFlags) error {
	names, err := f.parse(cmd)
	if err != nil {
		return exit(exitUsage, err)
	}
	types, err := bench.ParseTypes(f.types)
	if err != nil {
		return usagef("--types: %w", err)
	}
	q := bench.QueryOptions{Names: names, Types: types, EDNS: f.edns, DO: f.do, Recurse: f.recurse, Seed: f.seed}
	if q.Subnet, err = parseSubnets(f.ecs); err != nil {
		return usagef("--ecs: %w", err)
	}
	if f.o.Queries, err = bench.NewQueries(q); err != nil {
		return exit(exitUsage, err)
	}
	generator, err := bench.New(f.o)
	if err != nil {
		return usagef("--%w", err)
	}
	cookie, err := bench.Probe(cmd.Context(), &f.o, names[0], types[0], f.cookie)
	if err != nil {
		return exit(exitUnreachable, err)
	}
	if f.cookie {
		q.Cookie = cookie
		if f.o.Queries, err = bench.NewQueries(q); err != nil {
			return exit(exitUsage, err)
		}
		if generator, err = bench.New(f.o); err != nil {
			return exit(exitUsage, err)
		}
	}
	watched, stop := context.WithCancel(cmd.Context())
	defer stop()
	if f.progress {
		go generator.Watch(watched, cmd.ErrOrStderr())
	}
	result, err := generator.Run(cmd.Context())
	if err != nil {
		return exit(exitFailed, err)
	}
	if f.json {
		return printJSON(cmd.OutOrStdout(), result)
	}
	return result.Write(cmd.OutOrStdout())
}

// parse fills the options from the flags and returns the names to ask for.
func (f *benchFlags) parse(cmd *cobra.Command) (names []string, err error) {
	f.o.Transport = bench.Transport(f.transport)
	if f.o.Target, err = netip.ParseAddrPort(f.server); err != nil {
		return nil, fmt.Errorf("--server %q is not address:port, such as 127.0.0.1:53 or [::1]:53", f.server)
	}
	if !bench.Nearby(f.o.Target.Addr()) && !f.allowPublic {
		return nil, fmt.Errorf("--server %s is not on this machine or in a private network, and this command floods its target: "+
			"if the server is yours, say --allow-public-target", f.server)
	}
	switch {
	case f.mode != "max" && f.mode != "rate":
		return nil, fmt.Errorf("--mode %q is neither max nor rate", f.mode)
	case f.mode == "rate" && f.o.Rate <= 0:
		return nil, errors.New("--mode rate needs --rate above 0")
	case f.mode == "max" && f.o.Rate != 0:
		return nil, errors.New("--rate needs --mode rate")
	}
	code, ok := dns.StringToRcode[strings.ToUpper(f.rcode)]
	if !ok || code > 15 {
		return nil, fmt.Errorf("--rcode %q is not an rcode of the header", f.rcode)
	}
	f.o.Expect = bench.Expectation{Rcode: uint8(code), Negative: f.acceptNegative}
	if f.cpus != "" {
		for word := range strings.SplitSeq(f.cpus, ",") {
			cpu, err := strconv.Atoi(word)
			if err != nil {
				return nil, fmt.Errorf("--cpu %q is not a list of numbers", f.cpus)
			}
			f.o.CPUs = append(f.o.CPUs, cpu)
		}
	}
	return f.readNames(cmd)
}

func (f *benchFlags) readNames(cmd *cobra.Command) ([]string, error) {
	sources := 0
	for _, given := range []bool{f.names != "", len(f.name) > 0, f.zone != ""} {
		if given {
			sources++
		}
	}
	switch {
	case sources != 1:
		return nil, errors.New("say what to ask for with one of --names, --name and --zone")
	case f.zone == "" && (cmd.Flags().Changed("pattern") || cmd.Flags().Changed("count")):
		return nil, errors.New("--pattern and --count need --zone")
	case f.zone != "":
		names, err := bench.PatternNames(f.pattern, f.zone, f.count)
		if err != nil {
			return nil, fmt.Errorf("--zone: %w", err)
		}
		return names, nil
	case len(f.name) > 0:
		return f.name, nil
	}
	file, err := os.Open(f.names)
	if err != nil {
		return nil, fmt.Errorf("--names: %w", err)
	}
	defer file.Close()
	names, err := bench.ReadNames(file)
	if err == nil && len(names) == 0 {
		err = errors.New("no names in it")
	}
	if err != nil {
		return nil, fmt.Errorf("--names %s: %w", f.names, err)
	}
	return names, nil
}

// parseSubnets reads --ecs.
func parseSubnets(text string) (func(*rand.Rand) netip.Prefix, error) {
	if text == "" {
		return nil, nil
	}
	if length, ok := strings.CutPrefix(text, "random/"); ok {
		bits, err := strconv.Atoi(length)
		if err != nil || bits < 1 || bits > 32 {
			return nil, fmt.Errorf("%q: the length is not within 1 and 32", text)
		}
		return bench.RandomSubnets(bits), nil
	}
	file, err := os.Open(text)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	prefixes, err := bench.ReadPrefixes(file)
	if err == nil && len(prefixes) == 0 {
		err = errors.New("no prefixes in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	return bench.SubnetsOf(prefixes), nil
}
