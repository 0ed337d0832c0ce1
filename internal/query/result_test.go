package query

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// fullReply has one of everything that Write knows.
func fullReply(t *testing.T) Result {
	m := new(dns.Msg)
	m.SetQuestion("www.gslb.test.", dns.TypeA)
	m.Id, m.Response, m.Authoritative, m.RecursionDesired = 4321, true, true, false
	m.Answer = []dns.RR{record(t, "www.gslb.test. 20 IN A 192.0.2.80"), record(t, `www.gslb.test. 20 IN TXT "two words" "\"q\" \007"`)}
	m.Ns = []dns.RR{record(t, "gslb.test. 30 IN SOA ns1.gslb.test. h.gslb.test. 1 3600 600 604800 30")}
	m.Extra = []dns.RR{record(t, "ns1.gslb.test. 60 IN AAAA 2001:db8::53")}
	m.SetEdns0(1232, true)
	opt := m.IsEdns0()
	opt.Option = []dns.EDNS0{
		&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, SourceScope: 20, Address: net.IP{203, 0, 113, 0}},
		&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeStaleAnswer, ExtraText: "old\x1b[2J"},
		&dns.EDNS0_NSID{Code: dns.EDNS0NSID, Nsid: "616d732d31"},
	}
	return Result{Message: m, Server: "127.0.0.1:5300", Transport: "udp", Size: 120, Elapsed: 1500 * time.Microsecond}
}

func TestResultWrite(t *testing.T) {
	const want = `;; status: NOERROR, id: 4321, flags: qr aa
;; edns: version 0, udp size 1232, do
;; client subnet: 203.0.113.0/24, scope 20
;; extended error: 3 (Stale Answer): "old\x1b[2J"
;; nsid: "ams-1"
;; question:
;www.gslb.test. IN A
;; answer:
www.gslb.test. 20 IN A 192.0.2.80
www.gslb.test. 20 IN TXT "two words" "\"q\" \007"
;; authority:
gslb.test. 30 IN SOA ns1.gslb.test. h.gslb.test. 1 3600 600 604800 30
;; additional:
ns1.gslb.test. 60 IN AAAA 2001:db8::53
;; server: 127.0.0.1:5300 over udp, 120 bytes, 1.5 ms
`
	var got strings.Builder
	if err := fullReply(t).Write(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("printed reply (-want +got):\n%s", diff)
	}
}

func TestResultWriteBare(t *testing.T) {
	m := new(dns.Msg)
	m.Response, m.Rcode = true, 0xfff
	result := Result{Message: m, Server: "[2001:db8::53]:53", Transport: "tcp", Size: 12}
	const want = ";; status: RCODE4095, id: 0, flags: qr\n;; server: [2001:db8::53]:53 over tcp, 12 bytes, 0.0 ms\n"
	var got strings.Builder
	if err := result.Write(&got); err != nil || got.String() != want {
		t.Errorf("got %q, %v, want %q", got.String(), err, want)
	}
}

func TestResultShort(t *testing.T) {
	want := []string{"192.0.2.80", `"two words" "\"q\" \007"`}
	if got := fullReply(t).Short(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestResultSubnet(t *testing.T) {
	for _, tc := range []struct {
		name   string
		option *dns.EDNS0_SUBNET
		want   string
		scope  int
	}{
		{"IPv4", &dns.EDNS0_SUBNET{Family: 1, SourceNetmask: 24, SourceScope: 16, Address: net.ParseIP("192.0.2.0")}, "192.0.2.0/24", 16},
		{"IPv6", &dns.EDNS0_SUBNET{Family: 2, SourceNetmask: 56, SourceScope: 48, Address: net.ParseIP("2001:db8::")}, "2001:db8::/56", 48},
		{"family 0", &dns.EDNS0_SUBNET{Address: net.IPv4zero}, "0.0.0.0/0", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := new(dns.Msg).SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{tc.option}
			subnet, scope, ok := Result{Message: m}.Subnet()
			if !ok || subnet.String() != tc.want || scope != tc.scope {
				t.Errorf("got %v scope %d %v, want %s scope %d", subnet, scope, ok, tc.want, tc.scope)
			}
		})
	}
	if _, _, ok := (Result{Message: new(dns.Msg)}).Subnet(); ok {
		t.Error("a reply without EDNS has a client subnet")
	}
}

// FuzzReply feeds bytes to the whole way of a reply: whatever is accepted belongs to the query and can be printed
// without control characters.
func FuzzReply(f *testing.F) {
	request, err := Request{Name: "www.gslb.test", Server: "192.0.2.1"}.plan()
	if err != nil {
		f.Fatal(err)
	}
	request.message.Id = 1
	seed := new(dns.Msg).SetReply(request.message)
	seed.SetEdns0(1232, false)
	seed.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 20, ExtraText: "no"}, &dns.EDNS0_NSID{Nsid: "61"}}
	packed, err := seed.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, wire []byte) {
		message, problem := request.judge(wire)
		if problem != "" {
			return
		}
		if message.Id != 1 || len(message.Question) > 1 {
			t.Errorf("accepted a reply with id %d and %d questions", message.Id, len(message.Question))
		}
		var text strings.Builder
		if err := (Result{Message: message}).Write(&text); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(text.String(), func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }); i >= 0 {
			t.Errorf("printed a control character at %d: %q", i, text.String())
		}
	})
}
