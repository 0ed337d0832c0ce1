package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"fairlead/config"
)

func TestAsk(t *testing.T) {
	tests := []struct {
		name      string
		records   []string
		rcode     int
		four, six string // addresses and TTL, or part of the error after !
	}{
		{"both families", []string{"pods.test. 60 A 192.0.2.1", "pods.test. 30 A 192.0.2.2", "pods.test. 20 AAAA 2001:db8::1"},
			0, "[192.0.2.1 192.0.2.2] 30s", "[2001:db8::1] 20s"},
		{"one family", []string{"pods.test. 60 A 192.0.2.1"}, 0, "[192.0.2.1] 1m0s", "[] 0s"},
		{"by aliases", []string{"pods.test. 5 CNAME a.test.", "a.test. 60 CNAME b.test.", "b.test. 60 A 192.0.2.1"}, 0, "[192.0.2.1] 5s", "[] 0s"},
		{"an alias that leads nowhere", []string{"pods.test. 5 CNAME a.test."}, 0, "[] 0s", "[] 0s"},
		{"addresses that cannot be answered with", []string{"pods.test. 60 A 0.0.0.0", "pods.test. 60 A 224.0.0.1", "pods.test. 60 A 192.0.2.1"}, 0, "[192.0.2.1] 1m0s", "[] 0s"},
		{"no such name", []string{"other.test. 60 A 192.0.2.1"}, 0, "!NXDOMAIN", "!NXDOMAIN"},
		{"a server that fails", nil, dns.RcodeServerFailure, "!SERVFAIL", "!SERVFAIL"},
		{"a server that refuses", nil, dns.RcodeRefused, "!REFUSED", "!REFUSED"},
	}
	server := NewNameServer(t)
	k := &asker{resolvConf: "/nowhere"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server.Say(t, tt.records...)
			server.Fail(tt.rcode)
			four, six := k.addresses(t.Context(), &config.Autoscale{Name: "Pods.test", Resolver: server.Address})
			for _, family := range []struct {
				got  familyAnswer
				want string
			}{{four, tt.four}, {six, tt.six}} {
				got := fmt.Sprint(family.got.addresses, " ", family.got.ttl)
				if family.got.err != nil {
					got = "!" + family.got.err.Error()
				}
				if want, isError := strings.CutPrefix(family.want, "!"); got != family.want && !(isError && strings.Contains(got, want)) {
					t.Errorf("got %s, want %s", got, family.want)
				}
			}
		})
	}
}

// TestAskOverTCP: an answer that does not fit is asked for again over TCP.
func TestAskOverTCP(t *testing.T) {
	server := NewNameServer(t)
	server.truncate = true
	var records []string
	for i := range 200 {
		records = append(records, fmt.Sprintf("pods.test. 60 A 192.0.2.%d", i))
	}
	server.Say(t, records...)
	four, _ := new(asker).addresses(t.Context(), &config.Autoscale{Name: "pods.test", Resolver: server.Address})
	if four.err != nil || len(four.addresses) != 200 || server.overTCP == 0 {
		t.Errorf("%d addresses with %d questions over TCP: %v", len(four.addresses), server.overTCP, four.err)
	}
}

// TestAskTheSystem: without a resolver the system's are asked in turn, from the list as it is now.
func TestAskTheSystem(t *testing.T) {
	server := NewNameServer(t)
	server.Say(t, "pods.test. 60 A 192.0.2.1")
	host, port, err := net.SplitHostPort(server.Address)
	if err != nil {
		t.Fatal(err)
	}
	k := &asker{resolvConf: filepath.Join(t.TempDir(), "resolv.conf")}
	group := &config.Autoscale{Name: "pods.test"}
	if four, _ := k.addresses(t.Context(), group); four.err == nil || !strings.Contains(four.err.Error(), "autoscale.resolver") {
		t.Errorf("without a list: %v, want an error that says what to do", four.err)
	}
	if err := os.WriteFile(k.resolvConf, []byte("search example.test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if four, _ := k.addresses(t.Context(), group); four.err == nil || !strings.Contains(four.err.Error(), "names none") {
		t.Errorf("with an empty list: %v", four.err)
	}
	resolvers, err := k.resolvers(&config.Autoscale{Name: "pods.test", Resolver: "2001:db8::53"})
	if err != nil || resolvers[0] != "[2001:db8::53]:53" {
		t.Errorf("a resolver of its own: %v, %v", resolvers, err)
	}
	// The list has no ports, so that the server is asked as the first of a group's own resolvers would be.
	if answer, err := ask(t.Context(), net.JoinHostPort(host, port), "pods.test.", dns.TypeA); err != nil || len(answer.addresses) != 1 {
		t.Errorf("asked the server itself: %+v, %v", answer, err)
	}
}

// TestAnswersOfHostileServers: what an answer section says of other names is not believed, and loops end.
func TestAnswersOfHostileServers(t *testing.T) {
	rr := func(texts ...string) (out []dns.RR) {
		for _, text := range texts {
			r, err := dns.NewRR(text)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, r)
		}
		return out
	}
	tests := []struct {
		name    string
		records []dns.RR
		want    string
		ttl     time.Duration
	}{
		{"another name", rr("evil.test. 60 A 192.0.2.66", "pods.test. 60 A 192.0.2.1"), "[192.0.2.1]", time.Minute},
		{"a circle", rr("pods.test. 60 CNAME a.test.", "a.test. 60 CNAME pods.test."), "[]", 0},
		{"twice", rr("pods.test. 60 A 192.0.2.1", "POds.test. 0 A 192.0.2.1"), "[192.0.2.1]", 0},
		{"another family", rr("pods.test. 60 AAAA 2001:db8::1"), "[]", 0},
		{"another class", rr("pods.test. 60 CH A 192.0.2.1"), "[]", 0},
		{"an address of no length", []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "pods.test.", Rrtype: dns.TypeA, Class: dns.ClassINET}}}, "[]", 0},
		{"nothing", nil, "[]", 0},
	}
	for _, tt := range tests {
		got, ttl := addressesOf(tt.records, "pods.test.", dns.TypeA)
		if fmt.Sprint(got) != tt.want || ttl != tt.ttl {
			t.Errorf("%s: got %v, TTL %v, want %s, %v", tt.name, got, ttl, tt.want, tt.ttl)
		}
	}
	got, _ := addressesOf(rr("pods.test. 60 AAAA ::ffff:192.0.2.1"), "pods.test.", dns.TypeAAAA)
	if len(got) != 0 {
		t.Errorf("an IPv4 address in IPv6 form is taken: %v", got)
	}
}

// TestAskEndsWithItsContext: nobody waits for a resolver that says nothing when the node stops.
func TestAskEndsWithItsContext(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _, _ = silent.ReadFrom(make([]byte, 512))
		cancel() // it was asked
	}()
	began := time.Now()
	_, err = ask(ctx, silent.LocalAddr().String(), "pods.test.", dns.TypeA)
	if took := time.Since(began); !errors.Is(err, context.Canceled) || took > askTimeout/2 {
		t.Errorf("got error %v after %v, want that of the context at once", err, took)
	}
}
