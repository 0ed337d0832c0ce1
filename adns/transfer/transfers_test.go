package transfer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

const (
	nsLine = "example.test. 60 IN NS ns.example.test."
	aLine  = "ns.example.test. 60 IN A 192.0.2.53"
)

func TestWholeZone(t *testing.T) {
	tr := New(Options{})
	tr.Published(everybody(t), source{newZone(t, 7, "www.example.test. 30 IN A 192.0.2.1", "x.example.test. 1 IN TYPE65534 \\# 3 010203")})
	want := []string{"SOA 7", nsLine, aLine, "www.example.test. 30 IN A 192.0.2.1", "x.example.test. 1 CLASS1 TYPE65534 \\# 3 010203", "SOA 7"}
	for name, q := range map[string]*dns.Msg{"AXFR": axfr(), "IXFR of an unknown version": ixfr(3), "with EDNS": axfr().SetEdns0(4096, true)} {
		messages := served(t, tr, q, client)
		if d := cmp.Diff(want, records(t, messages)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		m := new(dns.Msg)
		if err := m.Unpack(messages[0]); err != nil {
			t.Fatal(err)
		}
		if m.Id != q.Id || !m.Authoritative || !m.Response || len(m.Question) != 1 || m.Question[0] != q.Question[0] {
			t.Errorf("%s: header and question %v", name, m)
		}
		if (m.IsEdns0() != nil) != (q.IsEdns0() != nil) {
			t.Errorf("%s: OPT of the answer is %v", name, m.IsEdns0())
		}
	}
	if got := tr.Stats(); got.Whole != 3 {
		t.Errorf("stats %+v, want 3 whole zones", got)
	}
}

// TestLargeZone: many records go into few messages, all complete and compressed, each signed.
func TestLargeZone(t *testing.T) {
	const count = 20_000
	var lines []string
	for i := range count {
		lines = append(lines, fmt.Sprintf("host-%d.example.test. 60 IN A 10.0.%d.%d", i, i>>8, i&255))
	}
	big := strings.Repeat("\""+strings.Repeat("x", 255)+"\" ", 60)
	lines = append(lines, "big.example.test. 60 IN TXT "+big, "big2.example.test. 60 IN TXT "+big)
	tr := New(Options{Keys: testKeys(t)})
	zone := newZone(t, 1, lines...)
	tr.Published(everybody(t), source{zone})
	packed, mac := twin(t, axfr(), "fetch.", dns.HmacSHA256, testSecret, "", false, nil)
	messages := servedPacked(t, tr, packed, client)
	got := records(t, messages)
	if want := len(zone.records) + 2; len(got) != want {
		t.Fatalf("%d records, want %d", len(got), want)
	}
	octets := 0
	for i, m := range messages {
		octets += len(m)
		if err := dns.TsigVerify(slices.Clone(m), encoded(testSecret), mac, i > 0); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		ts, err := findTSIG(m)
		if err != nil {
			t.Fatal(err)
		}
		mac = hex.EncodeToString(ts.mac)
	}
	if perRecord := octets / count; len(messages) > 60 || perRecord > 33 {
		t.Errorf("%d messages, %d octets for each record; want at most 60 and 33", len(messages), perRecord)
	}
}

func TestIncremental(t *testing.T) {
	www := "www.example.test. 30 IN A 192.0.2."
	tr := New(Options{})
	filler := make([]string, 20)
	for i := range filler {
		filler[i] = fmt.Sprintf("f%d.example.test. 60 IN A 192.0.2.99", i)
	}
	publish := func(serial uint32, lines ...string) {
		tr.Published(everybody(t), source{newZone(t, serial, append(lines, filler...)...)})
	}
	publish(1, www+"1")
	publish(2, www+"2")
	publish(3, www+"2", "new.example.test. 30 IN A 192.0.2.9")
	publish(4, strings.Replace(www, "30", "31", 1)+"2", "new.example.test. 30 IN A 192.0.2.9")
	steps := map[uint32][]string{
		1: {"SOA 4", "SOA 1", www + "1", "SOA 2", www + "2", "SOA 2", "SOA 3", "new.example.test. 30 IN A 192.0.2.9",
			"SOA 3", www + "2", "SOA 4", "www.example.test. 31 IN A 192.0.2.2", "SOA 4"},
		2: {"SOA 4", "SOA 2", "SOA 3", "new.example.test. 30 IN A 192.0.2.9", "SOA 3", www + "2", "SOA 4", "www.example.test. 31 IN A 192.0.2.2", "SOA 4"},
		4: {"SOA 4"},
		5: {"SOA 4"}, // the client is ahead
	}
	for serial, want := range steps {
		if d := cmp.Diff(want, records(t, served(t, tr, ixfr(serial), client))); d != "" {
			t.Errorf("from %d (-want +got):\n%s", serial, d)
		}
	}
	if got := records(t, served(t, tr, ixfr(1), Peer{Addr: client.Addr, Datagram: true})); !slices.Equal(got, []string{"SOA 4"}) {
		t.Errorf("over UDP: %q, want the SOA alone", got)
	}
	publish(4, strings.Replace(www, "30", "31", 1)+"2", "new.example.test. 30 IN A 192.0.2.9")
	if d := cmp.Diff(steps[2], records(t, served(t, tr, ixfr(2), client))); d != "" {
		t.Errorf("after another document with the same zone (-want +got):\n%s", d)
	}
	publish(9, www+"7")
	if got := records(t, served(t, tr, ixfr(4), client)); len(got) != 7 {
		t.Errorf("after a jump: %q", got)
	}
	publish(8, www+"8") // the serial goes back: nothing leads here
	if got := records(t, served(t, tr, ixfr(4), client)); len(got) < 20 {
		t.Errorf("after the serial went back: %q, want the whole zone", got)
	}
}

// TestIncrementalIsBounded: what would be larger than the zone, and what is too long ago, is sent whole.
func TestIncrementalIsBounded(t *testing.T) {
	tr := New(Options{})
	for serial := uint32(1); serial <= maxHistoryVersions+2; serial++ {
		lines := []string{fmt.Sprintf("www.example.test. 30 IN A 192.0.2.%d", serial)}
		for i := range 50 {
			lines = append(lines, fmt.Sprintf("f%d.example.test. 60 IN A 192.0.2.99", i))
		}
		tr.Published(everybody(t), source{newZone(t, serial, lines...)})
	}
	for serial, want := range map[uint32]bool{1: false, 2: true, 17: true} {
		got := records(t, served(t, tr, ixfr(serial), client))
		if incremental := got[1] == fmt.Sprintf("SOA %d", serial); incremental != want {
			t.Errorf("from %d: incremental %v, want %v", serial, incremental, want)
		}
	}
	tr.Published(everybody(t), source{newZone(t, 100, "www.example.test. 30 IN A 192.0.2.1")})
	if got := records(t, served(t, tr, ixfr(18), client)); got[1] == "SOA 18" {
		t.Error("a difference that is larger than the zone was sent")
	}
}

// TestHistoryIsBounded: a large difference is not kept.
func TestHistoryIsBounded(t *testing.T) {
	tr := New(Options{})
	for serial := range uint32(2) {
		lines := make([]string, 60_000)
		for i := range lines {
			address := byte(0)
			if i%3 == 0 {
				address = byte(serial)
			}
			lines[i] = fmt.Sprintf("host-%d.example.test. 60 IN A 10.%d.%d.%d", i, i>>8, i&255, address)
		}
		tr.Published(everybody(t), source{newZone(t, serial, lines...)})
	}
	if v := tr.zones.Load().byID["example.test."]; v.historyOctets() > maxHistoryOctets || v.octets < 2*maxHistoryOctets {
		t.Errorf("%d octets of history are kept of a zone of %d, want %d at most", v.historyOctets(), v.octets, maxHistoryOctets)
	}
}

// TestSignedMessagesFit: a record that leaves hardly room for anything else is sent with its signature.
func TestSignedMessagesFit(t *testing.T) {
	for octets, want := range map[int]int{60_000: 2, 65_400: 3} {
		long := &dns.RFC3597{Hdr: dns.RR_Header{Name: "long.example.test.", Rrtype: 65280, Class: dns.ClassINET, Ttl: 1}, Rdata: strings.Repeat("ab", octets)}
		zone := newZone(t, 1)
		zone.records = append(zone.records, long)
		tr := New(Options{Keys: testKeys(t)})
		tr.Published(everybody(t), source{zone})
		q := axfr().SetEdns0(1232, false)
		packed, _ := twin(t, q, "fetch.", dns.HmacSHA256, testSecret, "", false, nil)
		count := 0
		err := tr.Serve(t.Context(), packed, q, client, func(m []byte) error {
			count++
			return new(dns.Msg).Unpack(m)
		})
		if err != nil || count != want {
			t.Errorf("a record of %d octets: %v, %d messages, want %d", octets, err, count, want)
		}
	}
}

func TestWhoMayTransfer(t *testing.T) {
	keys := testKeys(t)
	for name, c := range map[string]struct {
		allow string
		addr  string
		key   string
		want  bool
	}{
		"nobody by default":        {"[]", "192.0.2.7", "fetch.", false},
		"prefix":                   {"[192.0.2.0/24]", "192.0.2.7", "", true},
		"address":                  {"[192.0.2.7]", "192.0.2.7", "", true},
		"other prefix":             {"[198.51.100.0/24, \"2001:db8::/32\"]", "192.0.2.7", "", false},
		"IPv6":                     {"[\"2001:db8::/32\"]", "2001:db8::1", "", true},
		"key":                      {"[\"key:fetch\"]", "192.0.2.7", "fetch.", true},
		"key in upper case":        {"[\"key:FETCH\"]", "192.0.2.7", "fetch.", true},
		"no key":                   {"[\"key:fetch\"]", "192.0.2.7", "", false},
		"other key":                {"[\"key:mid\"]", "192.0.2.7", "fetch.", false},
		"both":                     {"[{prefix: 192.0.2.0/24, key: fetch}]", "192.0.2.7", "fetch.", true},
		"both, without the key":    {"[{prefix: 192.0.2.0/24, key: fetch}]", "192.0.2.7", "", false},
		"both, elsewhere":          {"[{prefix: 192.0.2.0/24, key: fetch}]", "198.51.100.7", "fetch.", false},
		"prefix beside a key":      {"[192.0.2.0/24, \"key:mid\"]", "192.0.2.7", "fetch.", true},
		"loopback is no neighbour": {"[]", "127.0.0.1", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			tr := New(Options{Keys: keys})
			notify := "notify: [192.0.2.99]" // the zone is known in any case
			tr.Published(document(t, "nameservers: [ns.example.net], transfer: {allow: "+c.allow+", "+notify+"}"), source{newZone(t, 1)})
			packed, err := axfr().Pack()
			if c.key != "" {
				packed, _ = twin(t, axfr(), c.key, dns.HmacSHA256, testSecret, "", false, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			got := records(t, servedPacked(t, tr, packed, Peer{Addr: netip.MustParseAddr(c.addr)}))
			want := []string{"REFUSED"}
			if c.want {
				want = []string{"SOA 1", nsLine, aLine, "SOA 1"}
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestTransferIsRefused(t *testing.T) {
	bad, _ := twin(t, axfr(), "fetch.", dns.HmacSHA256, "another secret, of no use at all", "", false, nil)
	pack := func(m *dns.Msg) []byte {
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	chaos := axfr()
	chaos.Question[0].Qclass = dns.ClassCHAOS
	bare := ixfr(1)
	bare.Ns = nil
	for name, c := range map[string]struct {
		zone    *memoryZone
		request []byte
		udp     bool
		want    string
	}{
		"bad signature":      {newZone(t, 1), bad, false, "NOTAUTH"},
		"another zone":       {newZone(t, 1), pack(new(dns.Msg).SetAxfr("www.example.test.")), false, "REFUSED"},
		"class CH":           {newZone(t, 1), pack(chaos), false, "FORMERR"},
		"AXFR over UDP":      {newZone(t, 1), pack(axfr()), true, "NOTIMP"},
		"IXFR without a SOA": {newZone(t, 1), pack(bare), false, "FORMERR"},
		"zone without data":  {nil, pack(axfr()), false, "SERVFAIL"},
		"IXFR, without data": {nil, pack(ixfr(1)), false, "SERVFAIL"},
		"AXFR in upper case": {newZone(t, 1), pack(new(dns.Msg).SetAxfr("EXAMPLE.test.")), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tr := New(Options{Keys: testKeys(t)})
			tr.Published(everybody(t), source{c.zone})
			got := records(t, servedPacked(t, tr, c.request, Peer{Addr: client.Addr, Datagram: c.udp}))
			if c.want == "" && len(got) == 4 {
				return
			}
			if len(got) != 1 || got[0] != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestServedAtOnce: a client that keeps transfers open does not keep others out, and all together are bounded.
func TestServedAtOnce(t *testing.T) {
	tr := New(Options{})
	tr.Published(everybody(t), source{newZone(t, 1)})
	var inside func(depth int)
	inside = func(depth int) {
		q := axfr()
		packed, _ := q.Pack()
		refused := depth >= MaxServed
		err := tr.Serve(t.Context(), packed, q, Peer{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(depth / MaxServedPerClient)})}, func(b []byte) error {
			m := new(dns.Msg)
			if err := m.Unpack(b); err != nil {
				return err
			}
			if (m.Rcode == dns.RcodeServerFailure) != refused {
				t.Errorf("transfer %d: rcode %d", depth, m.Rcode)
			}
			if !refused {
				inside(depth + 1)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	inside(0)
	for range MaxServedPerClient {
		if !tr.enter(client.Addr) {
			t.Fatal("places were not given back")
		}
	}
	if tr.enter(client.Addr) {
		t.Error("one client got more than its share")
	}
}

func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		for i := range 20_000 {
			lines = append(lines, fmt.Sprintf("host-%d.example.test. 60 IN A 10.0.%d.%d", i, i>>8, i&255))
		}
		tr := New(Options{})
		tr.Published(everybody(t), source{newZone(t, 1, lines...)})
		q := axfr()
		packed, _ := q.Pack()
		for pause, want := range map[time.Duration]error{time.Millisecond: nil, 2 * time.Second: ErrSlowReader} {
			err := tr.Serve(t.Context(), packed, q, client, func([]byte) error {
				time.Sleep(pause)
				return nil
			})
			if !errors.Is(err, want) {
				t.Errorf("%s for each message: %v, want %v", pause, err, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		err := tr.Serve(ctx, packed, q, client, func([]byte) error {
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: %v", err)
		}
	})
}

func TestSerialIsWatched(t *testing.T) {
	www := "www.example.test. 30 IN A 192.0.2."
	for name, c := range map[string]struct {
		serial uint32
		line   string
		want   string
	}{
		"nothing changed":     {7, www + "1", ""},
		"raised":              {8, www + "2", ""},
		"records changed":     {7, www + "2", "dns.zone.serial_unchanged"},
		"TTL changed":         {7, "www.example.test. 31 IN A 192.0.2.1", "dns.zone.serial_unchanged"},
		"lowered":             {6, www + "2", "dns.zone.serial_back"},
		"raised over the top": {7 + 1<<31 - 1, www + "2", ""},
		"half the circle":     {7 + 1<<31, www + "2", "dns.zone.serial_back"},
	} {
		t.Run(name, func(t *testing.T) {
			core, logs := observer.New(zap.WarnLevel)
			tr := New(Options{Logger: zap.New(core)})
			tr.Published(everybody(t), source{newZone(t, 7, www+"1")})
			tr.Published(everybody(t), source{newZone(t, c.serial, c.line)})
			got := ""
			for _, e := range logs.All() {
				got += e.Message
			}
			if got != c.want {
				t.Errorf("logged %q, want %q", got, c.want)
			}
		})
	}
}
