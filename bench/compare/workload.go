package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"fairlead/internal/bench"
)

// The zone of all workloads.
const (
	zoneName    = "bench.test"
	namePattern = "h%06d"
	recordTTL   = 60
)

// fullBatch is how many queries a socket sends at once where the workload does not say otherwise.
const fullBatch = 32

// workload is a load, and what the servers are to answer.
type workload struct {
	name       string
	about      string
	names      int
	geo        bool // queries carry OPT and a client subnet
	transport  bench.Transport
	rate       float64 // 0: closed loop
	batch      int     // queries that one socket sends in a row
	grows      bool    // start and memory are measured as well
	contenders []contender
}

// contender is a server with one kind of configuration.
type contender struct {
	label   string // also what bars refer to
	program string
	write   func(*site) (launch, error)
}

func workloadNames() []string {
	return []string{"static", "rr4", "rr4-scattered", "ecs", "million", "tcp", "tcp-single", "latency"}
}

// static are the contenders that answer from zone data.
func static() []contender {
	return []contender{
		{"fairlead", "fairlead", fairleadStatic},
		{"gdnsd", "gdnsd", gdnsdStatic},
		{"nsd", "nsd", nsdStatic},
		{"knot", "knot", knotStatic},
		{"pdns", "pdns", pdnsStatic},
		{"bind", "bind", bindStatic},
		{"coredns", "coredns", corednsStatic},
	}
}

// others are the static contenders without Fairlead, and gdnsd as what it is in that workload.
func others(gdnsd string) []contender {
	all := static()[1:]
	all[0].label = gdnsd
	return all
}

func workloads(s *settings) map[string]workload {
	of := func(names int, about string, contenders []contender) workload {
		return workload{about: about, names: names, transport: bench.UDP, batch: fullBatch, contenders: contenders}
	}
	all := map[string]workload{}
	all["static"] = of(s.names, "one A record a name", static())
	all["rr4"] = of(s.names, "Fairlead: weighted round robin over 4 services with health; gdnsd: weighted, one of 4 with health", append([]contender{
		{"fairlead", "fairlead", fairleadRoundRobin},
		{"gdnsd weighted", "gdnsd", gdnsdWeighted},
		{"knot geoip", "knot", knotWeighted},
	}, others("gdnsd static")...))
	scattered := all["rr4"]
	scattered.batch = 1
	scattered.about += "; no two queries in a row from one socket"
	all["rr4-scattered"] = scattered
	ecs := of(s.names, "queries with OPT and a random /24; Fairlead: static proximity; gdnsd: geoip; the others answer one A record", append([]contender{
		{"fairlead", "fairlead", fairleadProximity},
		{"gdnsd geoip", "gdnsd", gdnsdGeo},
	}, others("gdnsd static")...))
	ecs.geo = true
	all["ecs"] = ecs
	million := of(s.million, "one A record a name, many names; also the time to the first answer, and memory", static())
	million.grows = true
	all["million"] = million
	tcp := of(s.names, "one A record a name, pipelined over TCP", static())
	tcp.transport = bench.TCP
	all["tcp"] = tcp
	tcp.batch = 1
	tcp.about += ", each query in a segment of its own"
	all["tcp-single"] = tcp
	latency := of(s.names, fmt.Sprintf("one A record a name, %.0f queries a second", s.rate), static())
	latency.rate = s.rate
	all["latency"] = latency
	for name, w := range all {
		w.name = name
		all[name] = w
	}
	return all
}

// queries compiles the workload's queries.
func (w workload) queries() (*bench.Queries, error) {
	names, err := bench.PatternNames(namePattern, zoneName, w.names)
	if err != nil {
		return nil, err
	}
	types, err := bench.ParseTypes("A")
	if err != nil {
		return nil, err
	}
	o := bench.QueryOptions{Names: names, Types: types, Seed: 1}
	if w.geo {
		o.Subnet = bench.RandomSubnets(24)
	}
	return bench.NewQueries(o)
}

// places are where the four data centres of the geographic workload are.
func places() []place {
	return []place{
		{"EU.NL", 52.37, 4.90}, {"NA.US", 40.71, -74.01}, {"AS.JP", 35.68, 139.69}, {"OC.AU", -33.87, 151.21},
	}
}

type place struct {
	name                string
	latitude, longitude float64
}

// mapBits is the prefix length of the geographic map: 3568 prefixes, which cover 1.0.0.0 to 223.255.255.255.
const mapBits = 12

// geoMap assigns each prefix to one of the places, always in the same way.
func geoMap(visit func(p netip.Prefix, place int)) {
	random := rand.New(rand.NewPCG(1, 2))
	for v := uint32(1) << 24; v < 224<<24; v += 1 << (32 - mapBits) {
		a := netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
		visit(netip.PrefixFrom(a, mapBits), random.IntN(len(places())))
	}
}

// zoneText is the zone in master file form, with one record for each name: what answers returns for its number.
func zoneText(names int, record func(i int) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "$ORIGIN %s.\n$TTL %d\n", zoneName, recordTTL)
	fmt.Fprintf(&b, "@ 3600 SOA ns1 hostmaster 1 7200 3600 1209600 %d\n", recordTTL)
	b.WriteString("@ 3600 NS ns1\nns1 3600 A 127.0.0.1\n")
	for i := range names {
		fmt.Fprintf(&b, namePattern+" %d %s\n", i, recordTTL, record(i))
	}
	return b.String()
}

// addressRecord is the A record of a name in the static zones.
func addressRecord(i int) string {
	return fmt.Sprintf("A 10.%d.%d.%d", i>>16&0xff, i>>8&0xff, i&0xff)
}
