package query

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startServer runs handle on one loopback port over UDP and TCP until the test ends.
func startServer(t *testing.T, handle dns.HandlerFunc) string {
	t.Helper()
	packets, listener := listenBoth(t)
	address := packets.LocalAddr().String()
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: handle}, {Listener: listener, Handler: handle}} {
		started := make(chan struct{})
		ended := make(chan error, 1)
		server.NotifyStartedFunc = func() { close(started) }
		go func() { ended <- server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			_ = server.Shutdown()
			<-ended
		})
	}
	return address
}

// listenBoth opens one free port over UDP and TCP. A port that is free over one may be in use over the other.
func listenBoth(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	const tries = 20
	for i := 1; ; i++ {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", packets.LocalAddr().String())
		if err == nil {
			return packets, listener
		}
		packets.Close()
		if i == tries {
			t.Fatal(err)
		}
	}
}

func reply(t *testing.T, w dns.ResponseWriter, m *dns.Msg) {
	if err := w.WriteMsg(m); err != nil {
		t.Errorf("write reply: %v", err)
	}
}

func record(t *testing.T, text string) dns.RR {
	t.Helper()
	rr, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

func TestDoSendsWhatWasAsked(t *testing.T) {
	seen := make(chan *dns.Msg, 1)
	server := startServer(t, func(w dns.ResponseWriter, q *dns.Msg) {
		seen <- q
		m := new(dns.Msg)
		reply(t, w, m.SetReply(q))
	})
	subnet := netip.MustParsePrefix
	for _, tc := range []struct {
		name       string
		request    Request
		question   string
		edns, rd   bool
		wantSubnet string
	}{
		{"defaults", Request{Name: "www.example.com"}, "www.example.com. IN A", true, false, ""},
		{"type in any case", Request{Name: "Example.com.", Type: "aaaa"}, "Example.com. IN AAAA", true, false, ""},
		{"type HTTPS", Request{Name: "www.example.com", Type: "https"}, "www.example.com. IN HTTPS", true, false, ""},
		{"type SRV", Request{Name: "_ldap._tcp.example.com", Type: "SRV"}, "_ldap._tcp.example.com. IN SRV", true, false, ""},
		{"type MX", Request{Name: "example.com", Type: "mx"}, "example.com. IN MX", true, false, ""},
		{"type by number", Request{Name: "example.com", Type: "TYPE65"}, "example.com. IN HTTPS", true, false, ""},
		{"root", Request{Name: ".", Type: "NS"}, ". IN NS", true, false, ""},
		{"recursion", Request{Name: "example.com", Recurse: true}, "example.com. IN A", true, true, ""},
		{"no edns", Request{Name: "example.com", NoEDNS: true}, "example.com. IN A", false, false, ""},
		{"host bits cleared", Request{Name: "a.test", Subnet: subnet("203.0.113.77/24")}, "a.test. IN A", true, false, "203.0.113.0/24/0"},
		{"subnet 6", Request{Name: "a.test", Subnet: subnet("2001:db8::/56"), TCP: true}, "a.test. IN A", true, false, "[2001:db8::]/56/0"},
		{"subnet of length 0", Request{Name: "a.test", Subnet: subnet("0.0.0.0/0")}, "a.test. IN A", true, false, "0.0.0.0/0/0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.request.Server = server
			result, err := Do(t.Context(), tc.request)
			if err != nil {
				t.Fatal(err)
			}
			q := <-seen
			if got := questionText(q.Question[0]); got != tc.question {
				t.Errorf("question: got %q, want %q", got, tc.question)
			}
			if got := q.IsEdns0() != nil; got != tc.edns {
				t.Errorf("edns: got %v, want %v", got, tc.edns)
			}
			if q.RecursionDesired != tc.rd {
				t.Errorf("recursion desired: got %v, want %v", q.RecursionDesired, tc.rd)
			}
			if got := subnetOption(q); got != tc.wantSubnet {
				t.Errorf("subnet: got %q, want %q", got, tc.wantSubnet)
			}
			if want := map[bool]string{false: "udp", true: "tcp"}[tc.request.TCP]; result.Transport != want {
				t.Errorf("transport: got %q, want %q", result.Transport, want)
			}
		})
	}
}

func subnetOption(m *dns.Msg) string {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			return o.String()
		}
	}
	return ""
}

func TestDoRefusesBadRequests(t *testing.T) {
	good := Request{Name: "a.test", Server: "192.0.2.1", Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a request that cannot be sent was dialled")
		return nil, net.ErrClosed
	}}
	for _, tc := range []struct {
		name   string
		change func(*Request)
		field  string
	}{
		{"no name", func(r *Request) { r.Name = "" }, "name"},
		{"label too long", func(r *Request) { r.Name = strings.Repeat("a", 64) + ".test" }, "name"},
		{"name too long", func(r *Request) { r.Name = strings.Repeat("aaaaaaa.", 40) }, "name"},
		{"empty label", func(r *Request) { r.Name = "a..test" }, "name"},
		{"unicode", func(r *Request) { r.Name = "bücher.test" }, "name"},
		{"space", func(r *Request) { r.Name = "a b.test" }, "name"},
		{"open escape", func(r *Request) { r.Name = `a.test\` }, "name"},
		{"unknown type", func(r *Request) { r.Type = "AAAAA" }, "type"},
		{"type number too large", func(r *Request) { r.Type = "TYPE65536" }, "type"},
		{"type without number", func(r *Request) { r.Type = "TYPE" }, "type"},
		{"transfer", func(r *Request) { r.Type = "AXFR" }, "type"},
		{"OPT by number", func(r *Request) { r.Type = "TYPE41" }, "type"},
		{"no server", func(r *Request) { r.Server = "" }, "server"},
		{"port 0", func(r *Request) { r.Server = "192.0.2.1:0" }, "server"},
		{"port name", func(r *Request) { r.Server = "192.0.2.1:domain" }, "server"},
		{"port only", func(r *Request) { r.Server = ":53" }, "server"},
		{"open bracket", func(r *Request) { r.Server = "[2001:db8::1" + ":x" }, "server"},
		{"negative timeout", func(r *Request) { r.Timeout = -1 }, "timeout"},
		{"subnet without EDNS", func(r *Request) { r.NoEDNS = true; r.Subnet = netip.MustParsePrefix("192.0.2.0/24") }, "subnet"},
		{"mapped subnet", func(r *Request) { r.Subnet = netip.MustParsePrefix("::ffff:192.0.2.0/120") }, "subnet"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := good
			tc.change(&r)
			_, err := Do(t.Context(), r)
			usage := (*UsageError)(nil)
			if !errors.As(err, &usage) || usage.Field != tc.field {
				t.Errorf("got %v, want a UsageError about %s", err, tc.field)
			}
		})
	}
}

func TestParseServer(t *testing.T) {
	for _, tc := range []struct{ server, want string }{
		{"192.0.2.1", "192.0.2.1:53"},
		{"192.0.2.1:5300", "192.0.2.1:5300"},
		{"2001:db8::1", "[2001:db8::1]:53"},
		{"[2001:db8::1]", "[2001:db8::1]:53"},
		{"[2001:db8::1]:5300", "[2001:db8::1]:5300"},
		{"ns1.example.com", "ns1.example.com:53"},
		{"localhost:5301", "localhost:5301"},
	} {
		got, err := parseServer(tc.server)
		if err != nil || got != tc.want {
			t.Errorf("parseServer(%q): got %q, %v, want %q", tc.server, got, err, tc.want)
		}
	}
}

func TestDoIgnoresRepliesToOtherQueries(t *testing.T) {
	answer := record(t, "a.test. 20 IN A 192.0.2.80")
	for _, tc := range []struct {
		name   string
		spoil  func(*dns.Msg)
		reason string
	}{
		{"id", func(m *dns.Msg) { m.Id++ }, "has id"},
		{"name", func(m *dns.Msg) { m.Question[0].Name = "b.test." }, "answers"},
		{"type", func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA }, "answers"},
		{"no question", func(m *dns.Msg) { m.Question = nil }, "has 0 questions"},
		{"two questions", func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }, "has 2 questions"},
		{"query", func(m *dns.Msg) { m.Response = false }, "is a query"},
		{"opcode", func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }, "has opcode"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := startServer(t, func(w dns.ResponseWriter, q *dns.Msg) {
				bad := new(dns.Msg).SetReply(q)
				tc.spoil(bad)
				reply(t, w, bad)
				if w.RemoteAddr().Network() == "udp" {
					good := new(dns.Msg).SetReply(q)
					good.Answer = []dns.RR{answer}
					reply(t, w, good)
				}
			})
			result, err := Do(t.Context(), Request{Name: "a.test", Server: server})
			if err != nil {
				t.Fatal(err)
			}
			if got := result.Short(); len(got) != 1 || got[0] != "192.0.2.80" {
				t.Errorf("udp: got %q, want the second reply's 192.0.2.80", got)
			}
			_, err = Do(t.Context(), Request{Name: "a.test", Server: server, TCP: true})
			bad := (*ReplyError)(nil)
			if !errors.As(err, &bad) || !strings.Contains(bad.Reason, tc.reason) {
				t.Errorf("tcp: got %v, want a ReplyError with %q", err, tc.reason)
			}
		})
	}
}

func TestDoTakesErrorsWithoutQuestion(t *testing.T) {
	server := startServer(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetRcode(q, dns.RcodeFormatError)
		m.Question = nil
		reply(t, w, m)
	})
	result, err := Do(t.Context(), Request{Name: "a.test", Server: server})
	if err != nil || result.Message.Rcode != dns.RcodeFormatError {
		t.Fatalf("got %v, %v, want FORMERR", result.Message, err)
	}
}

func TestDoFallsBackToTCP(t *testing.T) {
	txt := record(t, "a.test. 20 IN TXT full")
	server := startServer(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if w.RemoteAddr().Network() == "udp" {
			m.Truncated = true
		} else {
			m.Answer = []dns.RR{txt}
		}
		reply(t, w, m)
	})
	result, err := Do(t.Context(), Request{Name: "a.test", Type: "TXT", Server: server})
	if err != nil {
		t.Fatal(err)
	}
	if !result.Truncated || result.Transport != "tcp" || len(result.Short()) != 1 {
		t.Errorf("got truncated %v, transport %s, answers %q", result.Truncated, result.Transport, result.Short())
	}
	var text strings.Builder
	if err := result.Write(&text); err != nil || !strings.Contains(text.String(), "truncated; asked again over tcp") {
		t.Errorf("the printed reply does not say that tcp was used: %v\n%s", err, text.String())
	}
}

func TestDoUnreachable(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := closed.Addr().String()
	hangsUp := startServer(t, func(w dns.ResponseWriter, _ *dns.Msg) { _ = w.Close() })
	wrong := startServer(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Id++
		reply(t, w, m)
	})
	closed.Close() // now that the others have their ports
	for _, tc := range []struct {
		name    string
		request Request
		cause   error
		text    string
	}{
		{"silent", Request{Server: silent.LocalAddr().String()}, errTimeout, "timed out after 300ms"},
		{"refused over udp", Request{Server: refused}, syscall.ECONNREFUSED, "over udp"},
		{"refused over tcp", Request{Server: refused, TCP: true}, syscall.ECONNREFUSED, "over tcp"},
		{"hangs up", Request{Server: hangsUp, TCP: true}, nil, "the server closed the connection"},
		{"only wrong replies", Request{Server: wrong}, errTimeout, "1 replies ignored; the last one has id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.request.Name = "a.test"
			if tc.cause == errTimeout {
				tc.request.Timeout = 300 * time.Millisecond
			}
			_, err := Do(t.Context(), tc.request)
			unreachable := (*UnreachableError)(nil)
			if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), tc.text) {
				t.Fatalf("got %v, want an UnreachableError with %q", err, tc.text)
			}
			if tc.cause != nil && !errors.Is(err, tc.cause) {
				t.Errorf("got %v, want %v as its cause", err, tc.cause)
			}
		})
	}
}

func TestDoFloodEnds(t *testing.T) {
	server := startServer(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Id++
		for range maxIgnored {
			reply(t, w, m)
		}
	})
	_, err := Do(t.Context(), Request{Name: "a.test", Server: server, Timeout: time.Minute})
	unreachable := (*UnreachableError)(nil)
	if !errors.As(err, &unreachable) || unreachable.Ignored != maxIgnored {
		t.Errorf("got %v, want it to give up after %d replies", err, maxIgnored)
	}
}

func TestDoCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := startServer(t, func(dns.ResponseWriter, *dns.Msg) { cancel() })
	_, err := Do(ctx, Request{Name: "a.test", Server: server, Timeout: time.Minute})
	unreachable := (*UnreachableError)(nil)
	if !errors.Is(err, context.Canceled) || errors.As(err, &unreachable) {
		t.Errorf("got %v, want context.Canceled and no UnreachableError", err)
	}
}
