package probe

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"fairlead/config"
)

// nameServer answers over UDP and TCP on one port with what answer makes of a query; nil: nothing.
func nameServer(t *testing.T, answer func(q *dns.Msg, tcp bool) *dns.Msg) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", listener.Addr().String())
	if err != nil {
		t.Skipf("the port is taken: %v", err)
	}
	for _, s := range []*dns.Server{{Listener: listener}, {PacketConn: conn}} {
		serveDNS(t, s, answer)
	}
	return listener.Addr().String()
}

func serveDNS(t *testing.T, s *dns.Server, answer func(q *dns.Msg, tcp bool) *dns.Msg) {
	t.Helper()
	s.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		_, tcp := w.RemoteAddr().(*net.TCPAddr)
		if m := answer(q, tcp); m != nil {
			w.WriteMsg(m)
		}
	})
	ended, began := make(chan struct{}), make(chan struct{})
	s.NotifyStartedFunc = func() { close(began) }
	go func() { defer close(ended); s.ActivateAndServe() }()
	<-began
	t.Cleanup(func() { s.Shutdown(); <-ended })
}

func dnsMonitor(d config.DNSProbe) config.Monitor {
	if d.Rcode == "" {
		d.Rcode = "NOERROR"
	}
	return config.Monitor{Name: "dns-ok", Type: config.MonitorDNS, Interval: config.Duration(time.Minute), Timeout: config.Duration(500 * time.Millisecond), DNS: &d}
}

// zone answers from a zone of four records.
func zone(q *dns.Msg, tcp bool) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	for _, text := range []string{"www.example.com. 60 IN A 192.0.2.1", "www.example.com. 60 IN A 192.0.2.2", "example.com. 60 IN NS ns1.Example.com.", "example.com. 60 IN TXT \"one\" \"Two\""} {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		if rr.Header().Rrtype == q.Question[0].Qtype && strings.EqualFold(rr.Header().Name, q.Question[0].Name) {
			m.Answer = append(m.Answer, rr)
		}
	}
	if len(m.Answer) == 0 {
		m.Rcode = dns.RcodeNameError
	}
	return m
}

func TestProbeDNS(t *testing.T) {
	bend := func(f func(m *dns.Msg, tcp bool)) func(*dns.Msg, bool) *dns.Msg {
		return func(q *dns.Msg, tcp bool) *dns.Msg { m := zone(q, tcp); f(m, tcp); return m }
	}
	truncating := bend(func(m *dns.Msg, tcp bool) {
		if !tcp {
			m.Truncated, m.Answer = true, nil
		}
	})
	www := config.DNSProbe{Name: "WWW.example.com", Type: "A", Transport: config.DNSOverUDP}
	with := func(f func(*config.DNSProbe)) config.DNSProbe { d := www; f(&d); return d }
	tests := []struct {
		name   string
		ask    config.DNSProbe
		answer func(*dns.Msg, bool) *dns.Msg
		ok     bool
		want   string
	}{
		{"any data", www, zone, true, "NOERROR, 2 A records"},
		{"data", with(func(d *config.DNSProbe) { d.Expect = []string{"192.0.2.2", "192.0.2.1"} }), zone, true, "NOERROR, 2 A records"},
		{"other data", with(func(d *config.DNSProbe) { d.Expect = []string{"192.0.2.1", "192.0.2.3"} }), zone, false, `2 A records, none is "192.0.2.3"`},
		{"names in any case", config.DNSProbe{Name: "example.com", Type: "ns", Expect: []string{"NS1.example.com"}}, zone, true, "NOERROR, 1 NS records"},
		{"text in its case", config.DNSProbe{Name: "example.com", Type: "TXT", Expect: []string{`"one" "two"`}}, zone, false, `1 TXT records, none is "\"one\" \"two\""`},
		{"no such name", with(func(d *config.DNSProbe) { d.Name = "ftp.example.com" }), zone, false, "NXDOMAIN, want NOERROR"},
		{"no such name is wanted", with(func(d *config.DNSProbe) { d.Name, d.Rcode = "ftp.example.com", "nxdomain" }), zone, true, "NXDOMAIN, 0 A records"},
		{"no data", www, bend(func(m *dns.Msg, _ bool) { m.Answer = nil }), false, "no A record of WWW.example.com."},
		{"refused without a question", www, bend(func(m *dns.Msg, _ bool) { m.Answer, m.Question, m.Rcode = nil, nil, dns.RcodeRefused }), false, "REFUSED, want NOERROR"},
		{"another word for the same code", with(func(d *config.DNSProbe) { d.Rcode = "NOTIMPL" }), bend(func(m *dns.Msg, _ bool) { m.Answer, m.Rcode = nil, dns.RcodeNotImplemented }), true, "NOTIMP, 0 A records"},
		{"over tcp", with(func(d *config.DNSProbe) { d.Transport = config.DNSOverTCP }), bend(func(m *dns.Msg, tcp bool) {
			if !tcp {
				m.Answer = nil
			}
		}), true, "NOERROR, 2 A records"},
		{"truncated", www, truncating, true, "NOERROR, 2 A records"},
		{"silent", www, func(*dns.Msg, bool) *dns.Msg { return nil }, false, "timed out after 500ms waiting for first byte"},
		{"another ID", www, bend(func(m *dns.Msg, _ bool) { m.Id++ }), false, "DNS answer with another ID"},
		{"another question", www, bend(func(m *dns.Msg, _ bool) { m.Question[0].Name = "evil.example.com." }), false, "DNS answer to another question"},
		{"another type", www, bend(func(m *dns.Msg, _ bool) { m.Question[0].Qtype = dns.TypeMX }), false, "DNS answer to another question"},
		{"the query itself", www, func(q *dns.Msg, _ bool) *dns.Msg { return q }, false, "DNS answer that is a query"},
		{"another class", www, bend(func(m *dns.Msg, _ bool) { m.Question[0].Qclass = dns.ClassCHAOS }), false, "DNS answer to another question"},
		{"the question in another case", www, bend(func(m *dns.Msg, _ bool) { m.Question[0].Name = "www.EXAMPLE.com." }), true, "NOERROR, 2 A records"},
		{"recursion is asked for", with(func(d *config.DNSProbe) { d.Recurse = true }), bend(func(m *dns.Msg, _ bool) {
			if !m.RecursionDesired {
				m.Rcode = dns.RcodeRefused
			}
		}), true, "NOERROR, 2 A records"},
		{"recursion is not asked for", www, bend(func(m *dns.Msg, _ bool) {
			if m.RecursionDesired {
				m.Rcode = dns.RcodeRefused
			}
		}), true, "NOERROR, 2 A records"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := New(Options{}).Probe(context.Background(), target("dns", nameServer(t, tt.answer), dnsMonitor(tt.ask)))
			if got.OK != tt.ok || got.Reason != tt.want {
				t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
			}
		})
	}
}

func TestProbeDNSGarbage(t *testing.T) {
	www := config.DNSProbe{Name: "www.example.com", Type: "A", Transport: config.DNSOverUDP}
	tests := []struct {
		name    string
		answers func(q string) []string
		ok      bool
		want    string
	}{
		{"nothing but octets", func(string) []string { return []string{"hello, world: this is no DNS"} }, false, "malformed DNS answer: "},
		{"empty", func(string) []string { return []string{""} }, false, "malformed DNS answer: "},
		{"cut off, and says so", func(q string) []string {
			return []string{q[:2] + "\x82\x00\x00\x01\x00\x01\x00\x00\x00\x00" + q[12:] + "\xc0"}
		}, false, "tcp connect refused"},
		{"forged before the right one", func(q string) []string {
			var m dns.Msg
			m.Unpack([]byte(q))
			good, _ := zone(&m, false).Pack()
			return []string{"garbage", "\x00\x00" + string(good[2:]), string(good)}
		}, true, "NOERROR, 2 A records"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := New(Options{}).Probe(context.Background(), target("dns", udpServer(t, tt.answers), dnsMonitor(www)))
			if got.OK != tt.ok || !strings.HasPrefix(got.Reason, tt.want) {
				t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
			}
		})
	}
}

func TestProbeDNSOverTLS(t *testing.T) {
	ca := newAuthority(t, "Test CA")
	cert := ca.issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "dns.example.com")
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	serveDNS(t, &dns.Server{Listener: listener}, zone)
	m := dnsMonitor(config.DNSProbe{Name: "www.example.com", Type: "A", Transport: config.DNSOverTLS, Expect: []string{"192.0.2.1"}})
	m.Timeout = config.Duration(5 * time.Second)
	for name, want := range map[string]string{"dns.example.com": "NOERROR, 2 A records", "other.example.com": `certificate is for dns.example.com, not for "other.example.com"`} {
		m.TLS = config.TLSProbe{Verify: true, CAFile: ca.file(t), ServerName: name}
		if got := New(Options{}).Probe(context.Background(), target("dns", listener.Addr().String(), m)); got.Reason != want {
			t.Errorf("%s: got %q, want %q", name, got.Reason, want)
		}
	}
}

func FuzzDNSAnswer(f *testing.F) {
	q := new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA)
	q.Id = 7
	good, _ := zone(q, false).Pack()
	f.Add(good)
	want, err := config.ParseDNSExpect(&config.DNSProbe{Type: "A", Expect: []string{"192.0.2.1"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readDNS(b, q)
		if err != nil {
			return
		}
		d := config.DNSProbe{Name: "www.example.com", Type: "A", Rcode: "NOERROR", Expect: []string{"192.0.2.1"}}
		if (&exchange{}).judgeDNS(&d, q, want, m) == nil && !hasData(m.Answer, want[0]) {
			t.Errorf("passes without the data: %v", m)
		}
	})
}
