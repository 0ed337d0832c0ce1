package config

import (
	"fmt"
	"strings"
	"testing"
)

// largeDocument is a document of n services at 8 sites, half as many virtual servers, and a zone with some records.
func largeDocument(n int) []byte {
	var b strings.Builder
	b.WriteString("zones:\n- name: gslb.example.com\n  nameservers: [ns1.example.net]\n  records: |\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "    host%d A 192.0.2.%d\n", i, i%250+1)
	}
	b.WriteString("sites:\n")
	for i := range 8 {
		fmt.Fprintf(&b, "- {name: site%d, address: 198.51.100.%d, location: {place: EU.NL.C%d}}\n", i, i+1, i)
	}
	b.WriteString("monitors:\n")
	for i := range 20 {
		fmt.Fprintf(&b, "- {name: mon%d, type: http, interval: 5s, timeout: 2s, http: {path: /health%d}}\n", i, i)
	}
	b.WriteString("services:\n")
	for i := range n {
		fmt.Fprintf(&b, "- name: svc%05d\n  site: site%d\n  addresses: [203.0.%d.%d, \"2001:db8::%x\"]\n  port: 443\n  monitors: [mon%d]\n  capacity: 1000\n",
			i, i%8, i/250%250, i%250+1, i+1, i%20)
	}
	b.WriteString("virtual_servers:\n")
	for i := range n / 2 {
		fmt.Fprintf(&b, "- name: vs%05d\n  domains: [{name: app%d.gslb.example.com, ttl: 20s}]\n  method: round-robin\n  members: [{service: svc%05d, weight: 2}, {service: svc%05d}]\n",
			i, i, 2*i, 2*i+1)
	}
	return []byte(b.String())
}

func largeObjects(tb testing.TB, n int) *Objects {
	tb.Helper()
	objects, report := Source{Name: "large", Text: largeDocument(n)}.Objects()
	if err := report.Err(); err != nil {
		tb.Fatal(err)
	}
	return objects
}

const benchServices = 10_000

func BenchmarkParse(b *testing.B) {
	src := Source{Name: "large", Text: largeDocument(benchServices)}
	for b.Loop() {
		if _, report := Parse(src); report.Errors() > 0 {
			b.Fatal(report.Err())
		}
	}
}

func BenchmarkSplit(b *testing.B) {
	src := Source{Name: "large", Text: largeDocument(benchServices)}
	for b.Loop() {
		if _, report := src.Objects(); report.Errors() > 0 {
			b.Fatal(report.Err())
		}
	}
}

func BenchmarkObjectsYAML(b *testing.B) {
	objects := largeObjects(b, benchServices)
	for b.Loop() {
		_ = objects.Source()
	}
}

func BenchmarkAssembleNew(b *testing.B) {
	src := Source{Name: "large", Text: largeDocument(benchServices)}
	for b.Loop() {
		b.StopTimer()
		objects, _ := src.Objects()
		b.StartTimer()
		if _, report := Assemble(objects, AssembleOptions{}); report.Errors() > 0 {
			b.Fatal(report.Err())
		}
	}
}

// BenchmarkAssembleOneChanged is what a PATCH of one object costs.
func BenchmarkAssembleOneChanged(b *testing.B) {
	for _, c := range []struct {
		key     ObjectKey
		patch   string
		lenient bool
	}{
		{ObjectKey{ObjectService, "svc%05d"}, `{"capacity": %d}`, false},
		{ObjectKey{ObjectService, "svc%05d"}, `{"capacity": %d}`, true},
		{ObjectKey{ObjectVirtualServer, "vs%05d"}, `{"comment": "change %d"}`, false},
		{ObjectKey{ObjectMonitor, "mon7"}, `{"comment": "change %d"}`, false},
		{ObjectKey{ObjectZone, "gslb.example.com"}, `{"comment": "change %d"}`, false},
	} {
		b.Run(fmt.Sprintf("%s/lenient=%v", c.key.Kind, c.lenient), func(b *testing.B) {
			objects := largeObjects(b, benchServices)
			opts := AssembleOptions{Lenient: c.lenient}
			if doc, report := Assemble(objects, opts); doc == nil || report.Warnings() > 0 {
				b.Fatal(report.Problems()[0])
			}
			i := 0
			for b.Loop() {
				i++
				key := c.key
				if strings.Contains(key.Name, "%") {
					key.Name = fmt.Sprintf(key.Name, i*7%(benchServices/2))
				}
				changed, err := MergePatch(objects.Get(key), fmt.Appendf(nil, c.patch, i))
				if err != nil {
					b.Fatal(err)
				}
				objects = objects.With([]*Object{changed}, nil)
				if doc, report := Assemble(objects, opts); doc == nil {
					b.Fatal(report.Err())
				}
				_ = objects.ID()
			}
		})
	}
}
