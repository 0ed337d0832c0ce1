package config

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// lenientBase is a document in which everything refers to something.
const lenientBase = `
zones:
- {name: gslb.example.com, nameservers: [ns1.example.net], views: [inside]}
- {name: gslb.example.com, nameservers: [ns1.example.net]}
- {name: file.example.com, file: zones/file.zone}
sites:
- {name: ams, address: 192.0.2.1}
- {name: nyc, address: 192.0.2.2}
- {name: lab, address: 192.0.2.3, parent: ams, backup_parents: [nyc]}
monitors:
- {name: web, type: http}
- {name: port, type: tcp}
- {name: both, type: calculated, calculated: {monitors: [web, {monitor: port, service: www-ams}]}}
services:
- {name: www-ams, site: ams, addresses: [198.51.100.1], port: 80, monitors: [web, {monitor: port, weight: 2}], monitor_threshold: 2, backup_services: [www-nyc], views: [{view: inside, addresses: [10.0.0.1]}]}
- {name: www-nyc, site: nyc, addresses: [198.51.100.2], port: 80, monitors: [both]}
service_groups:
- {name: pool, site: lab, port: 80, monitors: [port], members: [{addresses: [198.51.100.9]}]}
virtual_servers:
- {name: www, domains: [{name: www.gslb.example.com}], method: round-robin, effective_state: true, members: [{service: www-ams}, {group: pool}], backup: spare}
- {name: spare, method: round-robin, members: [{service: www-nyc}]}
views:
- {name: inside, clients: [10.0.0.0/8]}
locations:
- {prefix: 203.0.113.0/24, place: EU.NL}
settings: {mep: {metrics_interval: 2s}}
`

func objectsOf(tb testing.TB, text string, files map[string][]byte) *Objects {
	tb.Helper()
	objects, report := Source{Name: "test", Text: []byte(text), Files: files}.Objects()
	if err := report.Err(); err != nil {
		tb.Fatal(err)
	}
	return objects
}

func baseObjects(tb testing.TB) *Objects {
	tb.Helper()
	objects := objectsOf(tb, lenientBase, map[string][]byte{"zones/file.zone": []byte("@ 60 SOA ns1.example.net. h.example.net. 1 1 1 1 1\n@ 60 NS ns1.example.net.\nwww 60 A 192.0.2.9\n")})
	if _, report := Assemble(objects, AssembleOptions{}); report.Errors() > 0 {
		tb.Fatal(report.Err())
	}
	return objects
}

func object(tb testing.TB, key, text string) *Object {
	tb.Helper()
	k, ok := ParseObjectKey(key)
	if !ok {
		tb.Fatalf("%q is no key", key)
	}
	o, err := NewObject(k.Kind, k.Name, []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// found lists what was left out, as "code object path".
func found(report *Report) []string {
	var out []string
	for _, p := range report.Problems() {
		if p.Code >= codeInertKey && p.Code <= codeInertView {
			out = append(out, strings.TrimSuffix(fmt.Sprintf("%s %s %s", p.Code, p.Object, p.ObjectPath), " "))
		}
	}
	slices.Sort(out)
	return out
}

func TestLenient(t *testing.T) {
	for _, c := range []struct {
		name   string
		put    []string // key, text
		remove []string
		want   []string
	}{
		{"nothing is wrong", nil, nil, nil},
		{"a key of a newer release", []string{"site/ams", `{address: 192.0.2.1, colour: blue, location: {planet: earth}}`}, nil,
			[]string{"FL9201 site/ams /colour", "FL9201 site/ams /location/planet"}},
		{"a word of a newer release", []string{"virtual-server/spare", `{method: telepathy, members: [{service: www-nyc}]}`}, nil,
			[]string{"FL9203 virtual-server/spare /method"}},
		{"a monitor is removed", nil, []string{"monitor/port"},
			[]string{"FL9202 service-group/pool /monitors/0", "FL9202 service/www-ams /monitors/1", "FL9203 monitor/both /calculated/monitors/1", "FL9203 service/www-ams /monitor_threshold"}},
		{"a service is removed", nil, []string{"service/www-ams"},
			[]string{"FL9202 virtual-server/www /members/0", "FL9203 monitor/both /calculated/monitors/1"}},
		{"the only member is removed", nil, []string{"service/www-nyc"},
			[]string{"FL9202 service/www-ams /backup_services/0", "FL9202 virtual-server/spare /members/0", "FL9205 virtual-server/spare /members"}},
		{"a site is removed", nil, []string{"site/nyc"},
			[]string{"FL9202 service/www-ams /backup_services/0", "FL9202 site/lab /backup_parents/0", "FL9202 virtual-server/spare /members/0", "FL9204 service/www-nyc", "FL9205 virtual-server/spare /members"}},
		{"a backup is removed", nil, []string{"virtual-server/spare"}, []string{"FL9202 virtual-server/www /backup"}},
		{"a group is removed", nil, []string{"service-group/pool"}, []string{"FL9202 virtual-server/www /members/1"}},
		{"a view is removed: its zone is shown to nobody else", nil, []string{"view/inside"},
			[]string{"FL9202 service/www-ams /views/0", "FL9202 zone/gslb.example.com@inside /views/0", "FL9204 zone/gslb.example.com@inside", "FL9206 view-order/views /0"}},
		{"a zone file is removed: balanced names stay", nil, []string{"file/zones/file.zone"}, []string{"FL9203 zone/file.example.com /file"}},
		{"a zone is removed", nil, []string{"zone/gslb.example.com", "zone/gslb.example.com@inside"}, []string{"FL9203 virtual-server/www /domains/0"}},
		{"two virtual servers have a domain", []string{"virtual-server/zzz", `{method: round-robin, domains: [{name: www.gslb.example.com}, {name: zzz.gslb.example.com}], members: [{service: www-nyc}]}`}, nil,
			[]string{"FL9203 virtual-server/zzz /domains/0"}},
		{"backups in a circle", []string{"virtual-server/spare", `{method: round-robin, members: [{service: www-nyc}], backup: www}`}, nil,
			[]string{"FL9203 virtual-server/spare /backup"}},
		{"sites above each other", []string{"site/ams", `{address: 192.0.2.1, parent: lab}`}, nil, []string{"FL9203 site/ams /parent"}},
		{"a value that is none", []string{"settings/settings", `{mep: {metrics_interval: soon}, damping: {suppress: 2000}}`}, nil,
			[]string{"FL9203 settings/settings /mep/metrics_interval"}},
		{"what is needed is missing", []string{"service/extra", `{site: ams}`}, nil, []string{"FL9204 service/extra"}},
		{"clients that cannot be read are not everybody", []string{"zone/gslb.example.com", `{nameservers: [ns1.example.net], allow_query: 10.0.0.0/8}`}, nil,
			[]string{"FL9204 zone/gslb.example.com"}},
		{"the name is none", []string{"site/bad name", `{address: 192.0.2.77}`}, nil, []string{"FL9204 site/bad name"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			objects := baseObjects(t)
			var put []*Object
			for i := 0; i < len(c.put); i += 2 {
				put = append(put, object(t, c.put[i], c.put[i+1]))
			}
			var remove []ObjectKey
			for _, key := range c.remove {
				k, _ := ParseObjectKey(key)
				if objects.Get(k) == nil {
					t.Fatalf("there is no %s", key)
				}
				remove = append(remove, k)
			}
			doc, report := Assemble(objects.With(put, remove), AssembleOptions{Lenient: true})
			if doc == nil || report.Errors() > 0 {
				t.Fatalf("no document: %v", report.Err())
			}
			if got := found(report); !slices.Equal(got, c.want) {
				t.Errorf("left out:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestLenientWithoutSites(t *testing.T) {
	objects := baseObjects(t).With(nil, []ObjectKey{{ObjectSite, "ams"}, {ObjectSite, "nyc"}, {ObjectSite, "lab"}})
	if doc, report := Assemble(objects, AssembleOptions{Lenient: true}); doc != nil || report.Errors() == 0 {
		t.Errorf("document %v, errors %d", doc, report.Errors())
	}
}

// scramble changes some objects at random: parts are taken from other objects, removed or replaced.
func scramble(r *rand.Rand, objects *Objects) *Objects {
	list := slices.Clone(objects.list)
	for range 1 + r.IntN(6) {
		o := list[r.IntN(len(list))]
		key := o.key
		switch r.IntN(4) {
		case 0:
			objects = objects.With(nil, []ObjectKey{key})
			continue
		case 1: // another one gets its text
			if other := list[r.IntN(len(list))]; other.key.Kind == key.Kind {
				o = other
			}
		}
		if key.Kind == ObjectFile {
			continue
		}
		n := o.tree()
		mutate(r, n)
		n.entries = slices.DeleteFunc(n.entries, func(e entry) bool { return e.key.value == nameKey(key.Kind) })
		if key.Kind == ObjectZone {
			n.entries = slices.DeleteFunc(n.entries, func(e entry) bool { return e.key.value == "views" })
		}
		if changed, err := NewObject(key.Kind, key.Name, newObjectOf(key, n, func(*node, *trail, finding) {}).text); err == nil {
			objects = objects.With([]*Object{changed}, nil)
		}
	}
	return objects
}

// mutate changes a place of a tree.
func mutate(r *rand.Rand, n *node) {
	words := []string{"ams", "www-ams", "web", "port", "spare", "www", "inside", "pool", "", "nobody", "7", "both", "10.0.0.0/8"}
	switch {
	case n.kind == kindScalar:
		*n = *textNode(words[r.IntN(len(words))])
	case n.kind == kindSequence && len(n.items) > 0:
		i := r.IntN(len(n.items))
		switch r.IntN(4) {
		case 0:
			n.items = slices.Delete(n.items, i, i+1)
		case 1:
			n.items = append(n.items, n.items[i])
		default:
			mutate(r, n.items[i])
		}
	case n.kind == kindMapping && len(n.entries) > 0:
		i := r.IntN(len(n.entries))
		switch r.IntN(6) {
		case 0:
			n.entries = slices.Delete(n.entries, i, i+1)
		case 1:
			n.entries[i].key = textNode(words[r.IntN(len(words))] + "x")
		default:
			mutate(r, n.entries[i].value)
		}
	}
}

// TestLenientAlwaysEnds checks that what is left of any objects is valid, and the same in whatever order they came.
func TestLenientAlwaysEnds(t *testing.T) {
	base := baseObjects(t)
	none := 0
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 1))
		objects := scramble(r, base)
		doc, report := Assemble(objects, AssembleOptions{Lenient: true})
		if doc == nil {
			none++
			continue
		}
		if report.Errors() > 0 {
			t.Fatalf("seed %d: %v", seed, report.Err())
		}
		shuffled := slices.Clone(objects.list)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again, other := Assemble(NewObjects(shuffled), AssembleOptions{Lenient: true})
		if fmt.Sprint(report.Problems()) != fmt.Sprint(other.Problems()) || len(again.Services) != len(doc.Services) {
			t.Fatalf("seed %d: the outcome depends on the order:\n%v\n%v", seed, report.Problems(), other.Problems())
		}
	}
	if none > 300 {
		t.Errorf("%d of 1500 had no document", none)
	}
	if bytes.Contains([]byte(lenientBase), []byte("\t")) {
		t.Error("tabs in YAML")
	}
}
