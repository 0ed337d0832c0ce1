package config

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// manyRelations is a document in which much depends on something else.
const manyRelations = `
zones:
- {name: gslb.example.com, nameservers: [ns1.gslb.example.com], ttl: 3s, records: "old CNAME www\nmail A 192.0.2.5\n"}
- {name: gslb.example.com, nameservers: [ns1.example.net], views: [inside]}
- {name: file.example.com, file: zones/file.zone}
sites:
- {name: ams, address: 192.0.2.1, location: {place: EU.NL}}
- {name: nyc, address: 192.0.2.2, location: {place: NA.US}}
monitors:
- {name: web, type: http}
- {name: port, type: tcp}
- {name: alive, type: passive}
services:
- {name: a, site: ams, addresses: [198.51.100.1], port: 80, monitors: [web], host: a.example.net, hash_id: 7}
- {name: b, site: nyc, addresses: [198.51.100.2], port: 80, monitors: [port], host: b.example.net, backup_services: [a]}
- {name: c, site: ams, cname: c.example.net}
- {name: d, site: nyc, addresses: [198.51.100.4], views: [{view: inside, addresses: [10.0.0.4]}], quorum: {agree: 2, of: 2}}
- {name: e, site: nyc, addresses: [198.51.100.5], port: 81, monitors: [{monitor: web, weight: 2}, port], monitor_threshold: 2}
service_groups:
- {name: pool, site: ams, port: 80, monitors: [port], members: [{addresses: [198.51.100.9], hash_id: 9}, {addresses: [198.51.100.10], order: 2}]}
virtual_servers:
- {name: v1, domains: [{name: www.gslb.example.com}, {name: ns1.gslb.example.com}], method: round-robin, members: [{service: a}, {service: b, order: 2}], backup: v2, policies: [{name: p, clients: [10.0.0.0/8], orders: [2]}]}
- {name: v2, method: round-robin, effective_state: true, members: [{group: pool}, {service: b}], backup: v3}
- {name: v3, method: source-ip-hash, members: [{service: c}, {service: e}]}
- {name: v4, domains: [{name: _sip._tcp.gslb.example.com, srv: {}}], method: round-robin, members: [{service: a}, {service: b}]}
- {name: v5, domains: [{name: x.file.example.com}], method: round-robin, persistence: {type: source-ip, id: 4}, members: [{service: d}]}
- {name: v6, domains: [{name: y.file.example.com, ttl: 2s}], method: round-robin, persistence: {type: source-ip, id: 4}, members: [{service: d}]}
views:
- {name: inside, clients: [10.0.0.0/8]}
locations:
- {prefix: 203.0.113.0/24, place: EU.NL}
settings: {mep: {metrics_interval: 2s}}
`

// edits are texts of objects that a random edit chooses from.
var edits = []string{
	"service/a", `{site: ams, addresses: [198.51.100.1], port: 80, monitors: [web], host: a.example.net, hash_id: 9}`,
	"service/a", `{site: ams, addresses: [198.51.100.1], monitors: [web]}`,
	"service/a", `{site: ams, addresses: [198.51.100.1], port: 80, monitors: [alive], max_connections: 5}`,
	"service/b", `{site: nyc, cname: b.example.org}`,
	"service/b", `{site: nyc, addresses: [198.51.100.2], port: 80, host: mail.gslb.example.com, backup_services: [a, d]}`,
	"service/c", `{site: ams, addresses: [198.51.100.3], backup_services: [b]}`,
	"service/d", `{site: ams, addresses: [198.51.100.4], hash_id: 7}`,
	"service/e", `{site: nyc, host: e.example.net}`,
	"service/f", `{site: nyc, addresses: [198.51.100.6], host: old.gslb.example.com}`,
	"service-group/pool", `{site: nyc, port: 80, monitors: [web], members: [{addresses: [198.51.100.9], weight: 100, hash_id: 7}]}`,
	"service-group/pool", `{site: nyc, port: 80, autoscale: {name: pool.example.net}}`,
	"service-group/spare", `{site: nyc, port: 80, members: [{addresses: [198.51.100.19]}]}`,
	"virtual-server/v1", `{domains: [{name: www.gslb.example.com}], method: round-robin, members: [{service: a, weight: 3}], backup: v4}`,
	"virtual-server/v1", `{domains: [{name: mail.gslb.example.com, mx: {}}, {name: gslb.example.com}], method: round-robin, members: [{service: b}], backup: v2}`,
	"virtual-server/v2", `{method: round-robin, members: [{group: pool, weight: 5}]}`,
	"virtual-server/v2", `{method: round-robin, members: [{service: a}, {group: pool}], backup: v1}`,
	"virtual-server/v3", `{method: least-connection, members: [{service: a}, {service: e}], persistence: {type: source-ip, id: 4}}`,
	"virtual-server/v4", `{domains: [{name: www.gslb.example.com, naptr: {}}], method: round-robin, members: [{service: a}, {group: spare}]}`,
	"virtual-server/v5", `{domains: [{name: x.file.example.com}], method: round-robin, members: [{service: d}, {service: a}], backup: v1}`,
	"virtual-server/v7", `{domains: [{name: file.example.com}], method: round-robin, members: [{service: c}]}`,
	"monitor/port", `{type: icmp}`, "monitor/port", `{type: ping}`, "monitor/port", `{type: tcp, target: {port: 99}}`,
	"monitor/web", `{type: http, interval: 30s}`, "monitor/web", `{type: calculated, calculated: {monitors: [port]}}`,
	"site/nyc", `{address: 192.0.2.2, parent: ams}`, "site/nyc", `{address: 192.0.2.22}`, "site/nyc", `{address: 192.0.2.2, location: {place: NA.US.NY}}`,
	"site/nyc", `{address: 192.0.2.2, location: {place: EU.DE}}`, "site/ams", `{address: 192.0.2.1, location: {place: EU.NL}, comment: here, dial: never}`, "site/lab", `{address: 192.0.2.3, foreign: true}`,
	"view/inside", `{listeners: [192.0.2.53]}`, "view/lab", `{clients: [192.0.2.0/24]}`,
	"zone/gslb.example.com", `{nameservers: [ns1.example.net]}`, "zone/gslb.example.com", `{nameservers: [ns1.gslb.example.com], records: "ns1 A 192.0.2.53\nwww CNAME mail\n"}`,
	"zone/file.example.com", `{file: zones/other.zone}`, "zone/www.gslb.example.com", `{nameservers: [ns.example.org]}`,
	"location/203.0.113.0/24", `{place: AS.JP}`, "settings/settings", `{mep: {metrics_interval: 20s}}`, "settings/settings", `{answers: {coherent: false}}`,
}

// anew returns the same objects without anything that was found before.
func anew(tb testing.TB, objects *Objects) *Objects {
	tb.Helper()
	var list []*Object
	for _, o := range objects.list {
		fresh, err := ObjectFromCanonical(o.key, o.text)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, fresh)
	}
	return NewObjects(list)
}

// problemsOf lists problems in an order that does not depend on when they were found.
func problemsOf(r *Report) []string {
	var out []string
	for _, p := range r.Problems() {
		out = append(out, fmt.Sprintf("%+v", p))
	}
	slices.Sort(out)
	return out
}

// TestWhatIsSettledStays makes random edits, and checks that looking only at what they concern finds what looking at everything finds.
func TestWhatIsSettledStays(t *testing.T) {
	soa := "@ 60 SOA ns1.example.net. h.example.net. %d 1 1 1 1\n@ 60 NS ns1.example.net.\nwww 60 A 192.0.2.9\n"
	files := map[string][]byte{"zones/file.zone": fmt.Appendf([]byte("$INCLUDE more.zone\n"), soa, 1), "zones/more.zone": []byte("more 60 A 192.0.2.1\n")}
	base := objectsOf(t, manyRelations, files)
	var made []*Object
	for i := 0; i < len(edits); i += 2 {
		made = append(made, object(t, edits[i], edits[i+1]))
	}
	made = append(made, NewFile("zones/file.zone", fmt.Appendf(nil, soa, 2)), NewFile("zones/other.zone", fmt.Appendf(nil, soa, 3)), NewFile("zones/more.zone", []byte("x.file.example.com. 60 CNAME y\n")))
	valid := 0
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(seed, 2))
		current := base
		for step := range 40 {
			next := current
			for range 1 + r.IntN(3) {
				switch o := made[r.IntN(len(made))]; r.IntN(8) {
				case 0:
					next = next.With(nil, []ObjectKey{next.list[r.IntN(next.Len())].key})
				case 1: // as it was
					if old := base.Get(o.key); old != nil {
						o = old
					}
					next = next.With([]*Object{o}, nil)
				default:
					next = next.With([]*Object{o}, nil)
				}
			}
			lenient := r.IntN(4) == 0
			if r.IntN(8) == 0 {
				next = NewObjects(next.list)
			}
			got, report := Assemble(next, AssembleOptions{Previous: current, Lenient: lenient})
			want, full := Assemble(anew(t, next), AssembleOptions{Lenient: lenient})
			if diff := cmp.Diff(problemsOf(full), problemsOf(report)); diff != "" {
				t.Fatalf("seed %d step %d: problems (-all, +settled):\n%s", seed, step, diff)
			}
			if diff := cmp.Diff(want, got, sameDocument...); diff != "" {
				t.Fatalf("seed %d step %d: documents (-all, +settled):\n%s", seed, step, diff)
			}
			if report.Errors() == 0 {
				valid++
				current = next
			} else if r.IntN(3) == 0 {
				current = next // goes on from what is wrong
			}
			if len(current.list) < 15 {
				current = base
			}
		}
	}
	if valid < 150 {
		t.Errorf("only %d of the edits were valid", valid)
	}
}

// TestAssembleKeepsWhatItShares checks that documents do not change each other's objects.
func TestAssembleKeepsWhatItShares(t *testing.T) {
	objects := baseObjects(t)
	first, _ := Assemble(objects, AssembleOptions{})
	var before []string
	for i := range first.Services {
		before = append(before, fmt.Sprintf("%+v", first.Services[i]))
	}
	changed := objects.With([]*Object{object(t, "service/www-nyc", `{site: nyc, addresses: [198.51.100.77], port: 80, monitors: [both]}`)}, nil)
	second, report := Assemble(changed, AssembleOptions{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	for i := range first.Services {
		if got := fmt.Sprintf("%+v", first.Services[i]); got != before[i] {
			t.Errorf("service %d became %s, was %s", i, got, before[i])
		}
	}
	if !strings.Contains(fmt.Sprintf("%+v", second.Services), "198.51.100.77") {
		t.Error("the change is not in the second document")
	}
	if first.Zones[0].Data != second.Zones[0].Data {
		t.Error("the zone was read again")
	}
}

// TestAssembleAtOnce has several goroutines assemble what shares objects.
func TestAssembleAtOnce(t *testing.T) {
	base := objectsOf(t, manyRelations, map[string][]byte{"zones/file.zone": []byte("@ 60 SOA ns1.example.net. h.example.net. 1 1 1 1 1\n@ 60 NS ns1.example.net.\n")})
	var wait sync.WaitGroup
	ids := make([]string, 4)
	for i := range ids {
		wait.Go(func() {
			objects := base
			for n := range 20 {
				o, err := NewObject(ObjectService, "d", fmt.Appendf(nil, "{site: nyc, addresses: [198.51.100.%d]}", n+10))
				if err != nil {
					t.Error(err)
					return
				}
				objects = objects.With([]*Object{o}, nil)
				for _, lenient := range []bool{false, true} {
					if doc, report := Assemble(objects, AssembleOptions{Lenient: lenient}); doc == nil {
						t.Error(report.Err())
					}
				}
				_, _ = Assemble(base, AssembleOptions{Previous: objects})
			}
			ids[i] = objects.ID()
		})
	}
	wait.Wait()
	if len(slices.Compact(ids)) != 1 {
		t.Errorf("ids differ: %v", ids)
	}
}
