package bench

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestProbe(t *testing.T) {
	const server = "server--"
	// withCookie adds an OPT record with a cookie; the stand-in does not see the client's.
	withCookie := func(client string) func(uint64, []byte) []byte {
		return func(_ uint64, r []byte) []byte {
			r[11] = 1
			return append(r, appendOPT(nil, &QueryOptions{Cookie: []byte(client + server)}, nil)...)
		}
	}
	for _, c := range []struct {
		name   string
		answer func(uint64, []byte) []byte
		err    error
	}{
		{"no cookie comes back", nil, nil},
		{"a cookie for somebody else", withCookie("somebody"), nil},
		{"first answer lost", func(n uint64, r []byte) []byte {
			if n == 1 {
				return nil
			}
			return r
		}, nil},
		{"silence", func(uint64, []byte) []byte { return nil }, ErrSilent},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startStandIn(t, c.answer)
			o := gentle(t, s.address)
			o.Timeout = 100 * time.Millisecond
			cookie, err := Probe(context.Background(), &o, "h0.bench.test", dns.TypeA, true)
			if !errors.Is(err, c.err) || c.err == nil && (len(cookie) != 8 || bytes.Contains(cookie, []byte(server))) {
				t.Errorf("got %q, %v; want the client's cookie alone, %v", cookie, err, c.err)
			}
		})
	}
}

// TestProbeLearnsTheCookie asks a server that knows cookies.
func TestProbeLearnsTheCookie(t *testing.T) {
	started := make(chan struct{})
	server := &dns.Server{Addr: "127.0.0.1:0", Net: "udp", NotifyStartedFunc: func() { close(started) },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
			m := new(dns.Msg).SetReply(query)
			m.SetEdns0(1232, false)
			sent := query.IsEdns0().Option[0].(*dns.EDNS0_COOKIE)
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: sent.Cookie + "0102030405060708"})
			_ = w.WriteMsg(m)
		})}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case <-started:
	case err := <-ended:
		t.Fatal(err)
	}
	defer func() { _ = server.Shutdown() }()
	o := gentle(t, netip.MustParseAddrPort(server.PacketConn.LocalAddr().String()))
	o.Timeout = time.Second
	cookie, err := Probe(context.Background(), &o, "h0.bench.test", dns.TypeA, true)
	if err != nil || len(cookie) != 16 || !bytes.HasSuffix(cookie, []byte{1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Errorf("got %x, %v; want the client's 8 octets and the server's", cookie, err)
	}
}
