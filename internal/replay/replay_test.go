package replay

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"

	"fairlead/adns/dnstap"
	"fairlead/api/resource"
	"fairlead/config"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// base has two sites, a rotation, a name by place, an alias and a static name.
const base = `
zones:
  - name: example.test
    nameservers: [ns.example.test]
    ttl: 30s
    records: |
      ns 60 A 192.0.2.53
      alias 60 CNAME www
sites:
  - {name: ams, address: 192.0.2.1, location: {latitude: 52.4, longitude: 4.9}}
  - {name: nyc, address: 198.51.100.1, location: {latitude: 40.7, longitude: -74}}
locations:
  - {prefix: 10.0.0.0/8, latitude: 52, longitude: 5}
  - {prefix: 172.16.0.0/12, latitude: 40, longitude: -74}
services:
  - {name: web-ams, site: ams, addresses: [192.0.2.80]}
  - {name: web-nyc, site: nyc, addresses: [198.51.100.80]}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: web-ams}, {service: web-nyc}]}
  - {name: near, domains: [{name: near.example.test}], method: static-proximity, members: [{service: web-ams}, {service: web-nyc}]}
`

func world(t testing.TB, text string, believed ...resource.Service) *World {
	t.Helper()
	doc, report := config.Parse(config.Source{Name: "test.yaml", Text: []byte(text)})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	w, err := NewWorld(doc, nil, believed, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func entry(name, qtype, client string) string {
	return fmt.Sprintf(`{"time":"2026-01-02T03:04:05.000006Z","client":%q,"transport":"udp","name":%q,"type":%q,"rcode":"NOERROR","answers":1,"microseconds":12}`, client, name, qtype) + "\n"
}

func read(t testing.TB, text string) *Queries {
	t.Helper()
	q, err := Read(context.Background(), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestCompare(t *testing.T) {
	www := strings.Repeat(entry("WWW.example.test.", "A", "203.0.113.0/24"), 60)
	ams, nyc := entry("near.example.test.", "A", "10.1.1.0/24"), entry("near.example.test.", "A", "172.16.1.0/24")
	// 100 queries: 60 for the rotation, 10 and 30 by place. Now: ams has 30+10, nyc 30+30.
	all := www + strings.Repeat(ams, 10) + strings.Repeat(nyc, 30)
	for _, c := range []struct {
		name       string
		log        string
		change     func(string) string
		believed   []resource.Service
		shift      float64
		failures   float64
		sites      string
		failed     string
		firstMoved string
	}{
		{"nothing changes", all, func(s string) string { return s }, nil, 0, 0, "ams 0.40 0.40, nyc 0.60 0.60", "", ""},
		{"services have other names, and the same addresses", all, func(s string) string { return strings.ReplaceAll(s, "web-", "app-") }, nil,
			0, 0, "ams 0.40 0.40, nyc 0.60 0.60", "", ""},
		// 3:1 instead of 1:1: a quarter of 60 answers moves.
		{"weights of the rotation", all, func(s string) string {
			return strings.Replace(s, "round-robin, members: [{service: web-ams}", "round-robin, members: [{service: web-ams, weight: 3}", 1)
		}, nil, 0.15, 0, "ams 0.40 0.55, nyc 0.60 0.45", "", "www.example.test. A 60 0.25"},
		{"nothing but the method", all, func(s string) string { return strings.Replace(s, "static-proximity", "round-robin", 1) }, nil,
			0.2, 0, "ams 0.40 0.50, nyc 0.60 0.50", "", "near.example.test. A 40 0.50"},
		{"a name is gone", all, func(s string) string { return strings.Replace(s, "near.example.test", "far.example.test", 1) }, nil,
			0.4, 0.4, "ams 0.40 0.30, nyc 0.60 0.30", "NXDOMAIN 0.00 0.40", "near.example.test. A 40 1.00"},
		{"a service has no address of the family", all, func(s string) string { return strings.ReplaceAll(s, "[192.0.2.80]", "[\"2001:db8::80\"]") }, nil,
			0.4, 0, "ams 0.40 0.00, nyc 0.60 1.00", "", "www.example.test. A 60 0.50"},
		{"an alias, and a name that fails before and after", entry("alias.example.test.", "A", "203.0.113.0/24") + entry("no.example.test.", "A", "203.0.113.0/24"),
			func(s string) string { return strings.Replace(s, "{service: web-ams}, ", "", 1) }, nil,
			0.25, 0, "ams 0.25 0.00, nyc 0.25 0.50", "NXDOMAIN 0.50 0.50", "alias.example.test. A 1 0.50"},
		{"a static record", strings.Repeat(entry("ns.example.test.", "A", "203.0.113.0/24"), 4), func(s string) string { return strings.Replace(s, "192.0.2.53", "192.0.2.54", 1) }, nil,
			1, 0, "", "", "ns.example.test. A 4 1.00"},
		{"a zone is gone", entry("x.other.test.", "A", "203.0.113.0/24"), func(s string) string { return s }, nil, 0, 0, "", "REFUSED 1.00 1.00", ""},
		// web-nyc is DOWN: the candidate has nobody else for www.
		{"states count", www, func(s string) string { return strings.Replace(s, "{service: web-ams}, ", "", 1) }, []resource.Service{{Name: "web-nyc", State: "DOWN"}},
			1, 1, "ams 1.00 0.00", "last resort 0.00 1.00", "www.example.test. A 60 1.00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Compare(context.Background(), read(t, c.log), world(t, base, c.believed...), world(t, c.change(base), c.believed...))
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(r.Shift-c.shift) > 0.01 || math.Abs(r.NewFailures-c.failures) > 0.01 || c.shift == 0 && r.Shift != 0 {
				t.Errorf("got a shift of %v and %v new failures, want %v and %v", r.Shift, r.NewFailures, c.shift, c.failures)
			}
			if got := boths(r.Sites); got != c.sites {
				t.Errorf("sites: got %s, want %s", got, c.sites)
			}
			if got := boths(r.Failures); got != c.failed {
				t.Errorf("failures: got %s, want %s", got, c.failed)
			}
			moved := ""
			if len(r.Moved) > 0 {
				moved = fmt.Sprintf("%s %s %d %.2f", r.Moved[0].Name, r.Moved[0].Type, r.Moved[0].Queries, r.Moved[0].Shift)
			}
			if moved != c.firstMoved {
				t.Errorf("moved: got %q, want %q", moved, c.firstMoved)
			}
		})
	}
}

// rotation has a name that many services take turns at; by place it matters who asks, while all are equally near. Addresses
// begin at first.
func rotation(method string, members, first int) string {
	var b strings.Builder
	b.WriteString("zones: [{name: example.test, nameservers: [ns.example.test], ttl: 30s}]\n" +
		"sites: [{name: ams, address: 192.0.2.1, location: {latitude: 52, longitude: 5}}]\n" +
		"locations: [{prefix: 10.0.0.0/8, latitude: 52, longitude: 5}]\nservices:\n")
	for i := range members {
		fmt.Fprintf(&b, "  - {name: s%d, site: ams, addresses: [10.0.%d.%d]}\n", i, (first+i)/200, (first+i)%200+1)
	}
	fmt.Fprintf(&b, "virtual_servers:\n  - name: www\n    domains: [{name: www.example.test}]\n    method: %s\n    members:\n", method)
	for i := range members {
		fmt.Fprintf(&b, "      - {service: s%d}\n", i)
	}
	return b.String()
}

// TestLargeRotations: as few draws as there are members are no reason to take a change for chance.
func TestLargeRotations(t *testing.T) {
	log := read(t, strings.Repeat(entry("www.example.test.", "A", "10.1.1.0/24"), 5)+entry("www.example.test.", "A", "10.1.2.0/24"))
	for _, c := range []struct {
		method                 string
		members, first, second int
		change                 func(string) string
		shift                  float64
	}{
		{"round-robin", 30, 0, 0, nil, 0},
		{"round-robin", 500, 0, 0, nil, 0},
		{"round-robin", 500, 0, 1000, nil, 1},
		{"round-robin", 400, 0, 200, nil, 0.5},
		{"static-proximity", 30, 0, 0, nil, 0},
		{"static-proximity", 100, 0, 1000, nil, 1},
		{"static-proximity", 100, 0, 50, nil, 0.5},
		// One of ten is taken out: a tenth of the answers goes elsewhere.
		{"static-proximity", 10, 0, 0, func(s string) string { return strings.Replace(s, "      - {service: s3}\n", "", 1) }, 0.1},
	} {
		after := rotation(c.method, c.members, c.second)
		if c.change != nil {
			after = c.change(after)
		}
		r, err := Compare(context.Background(), log, world(t, rotation(c.method, c.members, c.first)), world(t, after))
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(r.Shift-c.shift) > 0.02 || c.shift == 0 && r.Shift != 0 {
			t.Errorf("%s, %d members at %d, then at %d: got a shift of %v, want %v", c.method, c.members, c.first, c.second, r.Shift, c.shift)
		}
	}
}

// TestFailuresAreNotRoundedUp: a query that fails in two ways by turns fails as before when it fails in one.
func TestFailuresAreNotRoundedUp(t *testing.T) {
	ways := func(parts ...float64) *outlook {
		out := &outlook{draws: 60}
		for i, p := range parts {
			out.shares = append(out.shares, share{answer: fmt.Sprint(i), failed: true, part: p})
		}
		return out
	}
	s := newSums()
	s.note(&Kind{Name: "a."}, 10, ways(0.7, 0.1, 0.1, 0.1), ways(1))
	if s.failures != 0 {
		t.Errorf("%v queries fail that did not", s.failures)
	}
}

func boths(m map[string]Both) string {
	var parts []string
	for _, k := range []string{"NXDOMAIN", "REFUSED", "SERVFAIL", "ams", "last resort", "no data", "nyc"} {
		if v, ok := m[k]; ok {
			parts = append(parts, fmt.Sprintf("%s %.2f %.2f", k, v.Before, v.After))
		}
	}
	return strings.Join(parts, ", ")
}

func TestScope(t *testing.T) {
	log := strings.Replace(entry("near.example.test.", "A", "203.0.113.0/24"), `"transport"`, `"subnet":"10.1.2.0/24","transport"`, 1)
	wider := strings.Replace(base, "10.0.0.0/8", "10.1.2.0/24", 1)
	r, err := Compare(context.Background(), read(t, strings.Repeat(log, 3)), world(t, base), world(t, wider))
	if err != nil {
		t.Fatal(err)
	}
	want := Scope{Queries: 3, MeanBits: Both{8, 24}, BeforeBit: map[int]uint64{8: 3}, AfterBit: map[int]uint64{24: 3}}
	if d := cmp.Diff(want, r.Scope); d != "" || r.Shift != 0 {
		t.Errorf("shift %v (-want +got):\n%s", r.Shift, d)
	}
}

func TestReadLog(t *testing.T) {
	whole := entry("a.test.", "AAAA", "192.0.2.0/24")
	for _, c := range []struct {
		name, text                 string
		queries, unreadable, other uint64
		cut                        bool
		fails                      string
	}{
		{"three", strings.Repeat(whole, 3), 3, 0, 0, false, ""},
		{"the last one is cut", whole + whole[:70], 1, 0, 0, true, ""},
		{"without a final line feed", whole + strings.TrimSpace(whole), 2, 0, 0, false, ""},
		{"rubbish between", whole + "{no\n\n" + whole, 2, 1, 0, false, ""},
		{"entries without a question", whole + entry("", "", "192.0.2.1") + entry("a.test.", "TYPE99999", "192.0.2.1") + entry("a.test.", "A", "x"), 1, 0, 3, false, ""},
		{"nothing", "", 0, 0, 0, false, "the file is empty"},
		{"compressed", "\x1f\x8b\x08\x00", 0, 0, 0, false, "the file is compressed"},
		{"something else", "GIF89a\nxyz\n", 0, 0, 0, false, "none found, 2 entries unreadable"},
		{"more than a chunk", strings.Repeat(whole, 10_000), 10_000, 0, 0, false, ""},
		{"a line without end", strings.Repeat("x", chunkOctets+2*maxLineOctets+2*chunkOctets), 0, 0, 0, false, "a line of more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := Read(context.Background(), strings.NewReader(c.text))
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v, want %q", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if q.Queries != c.queries || q.Unreadable != c.unreadable || q.Other != c.other || q.Cut != c.cut {
				t.Errorf("got %d queries, %d unreadable, %d other, cut %v", q.Queries, q.Unreadable, q.Other, q.Cut)
			}
			want := Kind{Name: "a.test.", Type: dns.TypeAAAA, Client: netip.MustParseAddr("192.0.2.0")}
			if q.Kinds[want] == 0 {
				t.Errorf("got %v", q.Kinds)
			}
		})
	}
}

// tap writes a dnstap file as the server does.
func tap(t testing.TB, queries, responses bool) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tap")
	sink, err := dnstap.New(dnstap.Options{File: path, Queries: queries, Responses: responses, Identity: "ns1"})
	if err != nil {
		t.Fatal(err)
	}
	source := sink.Source()
	for i := range 3 {
		m := new(dns.Msg)
		m.SetQuestion("WWW.example.test.", dns.TypeA)
		m.SetEdns0(1232, false)
		m.Extra[0].(*dns.OPT).Option = append(m.Extra[0].(*dns.OPT).Option, &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: []byte{10, 1, 2, 0}})
		wire, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		message := dnstap.Message{Protocol: dnstap.UDP, Client: netip.MustParseAddrPort("192.0.2.7:4000"), Server: netip.MustParseAddrPort("198.51.100.53:53"), QueryTime: int64(i), Wire: wire}
		source.Query(&message)
		m.Response = true
		if message.Wire, err = m.Pack(); err != nil {
			t.Fatal(err)
		}
		source.Response(&message)
	}
	source.Flush()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sink.Run(ctx) }()
	for sink.Stats().Sent+sink.Stats().Dropped == 0 {
		<-time.After(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadDnstap(t *testing.T) {
	want := map[Kind]uint64{{Name: "www.example.test.", Type: dns.TypeA, Client: netip.MustParseAddr("192.0.2.7"),
		Subnet: netip.MustParsePrefix("10.1.2.0/24"), Listener: netip.MustParseAddr("198.51.100.53")}: 3}
	for _, c := range []struct {
		name               string
		queries, responses bool
	}{{"queries", true, false}, {"responses", false, true}, {"both", true, true}} {
		q, err := Read(context.Background(), bytes.NewReader(tap(t, c.queries, c.responses)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if d := cmp.Diff(want, q.Kinds, cmpopts.EquateComparable(Kind{}, netip.Addr{}, netip.Prefix{})); d != "" || q.Cut {
			t.Errorf("%s: cut %v (-want +got):\n%s", c.name, q.Cut, d)
		}
	}
	whole := tap(t, true, false)
	if q, err := Read(context.Background(), bytes.NewReader(slices.Concat(whole, tap(t, true, true)))); err != nil || q.Cut || q.Queries != 6 {
		t.Errorf("one file after the other: got %+v, %v; want six queries", q, err)
	}
	q, err := Read(context.Background(), bytes.NewReader(whole[:len(whole)-30]))
	if err != nil || !q.Cut || q.Queries != 2 {
		t.Errorf("cut: got %+v, %v; want two queries", q, err)
	}
}

func TestHostileDnstap(t *testing.T) {
	start := []byte{0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2}
	for _, c := range []struct {
		name string
		tail []byte
		says string
	}{
		{"a frame of 4 GB", []byte{0xff, 0xff, 0xff, 0xff}, "a frame of 4294967295 octets"},
		{"a control frame of 1 MB", []byte{0, 0, 0, 0, 0, 0x10, 0, 0}, "a control frame of 1048576 octets"},
		{"a control frame without a type", []byte{0, 0, 0, 0, 0, 0, 0, 0}, "a control frame of 0 octets"},
		{"a field that is longer than its message", []byte{0, 0, 0, 3, 0x72, 0x7f, 0}, "1 entries unreadable"},
		{"a varint without end", append([]byte{0, 0, 0, 11}, bytes.Repeat([]byte{0xff}, 11)...), "1 entries unreadable"},
		{"a length near 2^64", append(binary.BigEndian.AppendUint32(nil, 11), 0x72, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), "none found"},
	} {
		_, err := Read(context.Background(), bytes.NewReader(append(start[:len(start):len(start)], c.tail...)))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.says)
		}
	}
}

// FuzzRead reads files that nobody wrote.
func FuzzRead(f *testing.F) {
	f.Add(tap(f, true, true))
	f.Add([]byte(entry("a.test.", "A", "192.0.2.0/24")))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 3, 0x72, 0x7f, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := Read(context.Background(), bytes.NewReader(b))
		if err != nil {
			return
		}
		sum := uint64(0)
		for k, n := range q.Kinds {
			if sum += n; k.Name == "" || !k.Client.IsValid() {
				t.Errorf("got %+v", k)
			}
		}
		if sum != q.Queries {
			t.Errorf("kinds add up to %d, not %d", sum, q.Queries)
		}
	})
}

// BenchmarkMillion replays a million queries of 50,000 kinds.
func BenchmarkMillion(b *testing.B) {
	var text strings.Builder
	for i := range 1_000_000 {
		text.WriteString(entry([]string{"www.example.test.", "near.example.test."}[i&1], "A", fmt.Sprintf("10.%d.%d.0/24", i%50_000>>8, i%50_000&255)))
	}
	now, candidate := world(b, base), world(b, strings.Replace(base, "static-proximity", "round-robin", 1))
	b.ResetTimer()
	for b.Loop() {
		if _, err := Compare(context.Background(), read(b, text.String()), now, candidate); err != nil {
			b.Fatal(err)
		}
	}
}
