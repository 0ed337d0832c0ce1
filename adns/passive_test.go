package adns

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"fairlead/adns/cookie"
	"fairlead/adns/rrl"
)

// heardTimes collects what PassiveRTT is told.
type heardTimes struct {
	mu   sync.Mutex
	list []time.Duration
	from []netip.Addr
}

func (h *heardTimes) told(from netip.Addr, rtt time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list, h.from = append(h.list, rtt), append(h.from, from)
}

// TestConnectionsTellTheirRTT: over TCP and TLS the kernel knows how far a client is; it is told once, however many questions
// follow, and never of UDP.
func TestConnectionsTellTheirRTT(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells the round-trip time of a connection")
	}
	var heard heardTimes
	s, roots := startSecure(t, func(o *Options) { o.PassiveRTT = heard.told })
	exchange(t, "udp", s.Addrs()[0], "www.example.test.", dns.TypeA)
	for network, addr := range map[string]netip.AddrPort{"tcp": s.Addrs()[0], "tcp-tls": s.SecureAddrs(TLS)[0]} {
		before := len(heard.list)
		askTwice(t, network, addr, roots)
		heard.mu.Lock()
		if n := len(heard.list) - before; n != 1 {
			t.Errorf("%s: told %d times of one connection, want once", network, n)
		} else if rtt := heard.list[before]; rtt <= 0 || rtt > time.Second || heard.from[before] != addr.Addr() {
			t.Errorf("%s: told %s of %s", network, rtt, heard.from[before])
		}
		heard.mu.Unlock()
	}
}

func askTwice(t *testing.T, network string, addr netip.AddrPort, roots *x509.CertPool) {
	t.Helper()
	c := &dns.Client{Net: network, Timeout: deadline, TLSConfig: &tls.Config{RootCAs: roots, ServerName: "localhost", InsecureSkipVerify: true}}
	conn, err := c.DialContext(context.Background(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 2 { // the second answer comes after the first was told of
		if _, _, err := c.ExchangeWithConn(new(dns.Msg).SetQuestion("www.example.test.", dns.TypeA), conn); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVouchers(t *testing.T) {
	v := NewVouchers()
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	v.note(a, VoucherProven, 1000)
	v.note(b, VoucherLimited, 1010)
	for _, tt := range []struct {
		client netip.Addr
		at     int64
		want   Voucher
	}{
		{a, 1000, VoucherProven}, {a, 1000 + voucherTime, VoucherProven}, {a, 1001 + voucherTime, VoucherNone},
		{b, 1010, VoucherLimited}, {netip.MustParseAddr("192.0.2.2"), 1000, VoucherNone},
	} {
		if got := v.Of(tt.client, tt.at); got != tt.want {
			t.Errorf("%s at %d: %d, want %d", tt.client, tt.at, got, tt.want)
		}
	}
	v.note(a, VoucherLimited, 1005)
	if got := v.Of(a, 1006); got != VoucherLimited {
		t.Errorf("the last one counts: %d", got)
	}
	if (*Vouchers)(nil).Of(a, 0) != VoucherNone {
		t.Error("nil vouches for somebody")
	}
}

// TestPolicyVouches: a cookie proves a client over UDP, and who is limited is known.
func TestPolicyVouches(t *testing.T) {
	p, err := newPolicy(PolicyOptions{RateLimit: rrl.Options{PerSecond: 1}})
	if err != nil {
		t.Fatal(err)
	}
	p.vouchers, p.made = NewVouchers(), 5000
	plain, proven, far := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.1")
	now := int64(100 * time.Second)
	for range 50 {
		p.limit(&client{addr: plain, transport: UDP}, standing{}, account{class: rrl.Answer, detail: 7}, now)
		p.limit(&client{addr: proven, transport: UDP}, standing{status: cookie.Fresh}, account{class: rrl.Answer, detail: 7}, now)
		p.limit(&client{addr: far, transport: TCP}, standing{}, account{class: rrl.Answer, detail: 7}, now)
	}
	for a, want := range map[netip.Addr]Voucher{plain: VoucherLimited, proven: VoucherProven, far: VoucherNone} {
		if got := p.vouchers.Of(a, 5101); got != want {
			t.Errorf("%s: %d, want %d", a, got, want)
		}
	}
}
