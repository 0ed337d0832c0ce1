package adns

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/adns/dnstap"
	"fairlead/adns/querylog"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// observed returns a server with observers.
func observed(t testing.TB, o Observers) *Server {
	t.Helper()
	snapshot := fixture(t)
	s, err := New(Options{Snapshot: func() *Snapshot { return snapshot }, Now: func() time.Time { return epoch }, Observers: o})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// written runs an observer until it has written so much, and returns its file.
func written(t *testing.T, run func(context.Context) error, enough func() bool, path string) []byte {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- run(ctx) }()
	for !enough() {
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

// TestDnstapHasBothMessages looks for the messages as they were sent: answering overwrites the request.
func TestDnstapHasBothMessages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tap")
	sink, err := dnstap.New(dnstap.Options{File: path, Queries: true, Responses: true, Identity: "ns1"})
	if err != nil {
		t.Fatal(err)
	}
	s := observed(t, Observers{Dnstap: sink})
	request := plainQuery(www(), optRecord(1232, 0))
	response := s.Handle(request, asker, UDP, nil)
	silent := request[:headerOctets-1]
	if got := s.Handle(silent, asker, TCP, nil); got != nil {
		t.Fatalf("got an answer to a cut header: %x", got)
	}
	tap := written(t, sink.Run, func() bool { return sink.Stats().Sent == 3 }, path)
	from := asker.Addr().As4()
	for _, want := range []struct {
		name   string
		octets []byte
		times  int
	}{
		{"the request, and the beginning of the one that gets silence", silent, 2},
		{"the whole request", request, 1},
		{"the response", response, 1},
		{"the client", from[:], 3},
		{"the identity", []byte("ns1"), 3},
		// Message: AUTH_QUERY or AUTH_RESPONSE, IPv4, and the protocol.
		{"query over UDP", []byte{8, 1, 16, 1, 24, 1}, 1},
		{"query over TCP", []byte{8, 1, 16, 1, 24, 2}, 1},
		{"response over UDP", []byte{8, 2, 16, 1, 24, 1}, 1},
	} {
		if got := bytes.Count(tap, want.octets); got != want.times {
			t.Errorf("%s: got %d times, want %d", want.name, got, want.times)
		}
	}
	if got := s.Stats().Dnstap; got.Sent != 3 || got.Dropped != 0 {
		t.Errorf("got %+v, want 3 sent", got)
	}
}

func TestQueryLog(t *testing.T) {
	subnet := option(dns.EDNS0SUBNET, 0, 1, 24, 0, 203, 0, 113)
	type line map[string]any
	for _, c := range []struct {
		name      string
		request   []byte
		transport Transport
		want      line
	}{
		{"a balanced name", plainQuery(www()), UDP,
			line{"transport": "udp", "name": "www.example.com.", "type": "A", "rcode": "NOERROR", "answers": 1.0}},
		{"the letters of the question", plainQuery(question("WwW.example.com.", dns.TypeAAAA, dns.ClassINET)), TLS,
			line{"transport": "tls", "name": "WwW.example.com.", "type": "AAAA", "rcode": "NOERROR", "answers": 1.0}},
		{"a scope", plainQuery(question("hash.example.com.", dns.TypeA, dns.ClassINET), optRecord(1232, 0, subnet)), HTTPS,
			line{"transport": "https", "name": "hash.example.com.", "type": "A", "rcode": "NOERROR", "answers": 1.0, "scope": 24.0, "subnet": "203.0.113.0/24"}},
		{"no scope without the option", plainQuery(question("no.example.com.", dns.TypeA, dns.ClassINET), optRecord(1232, 0)), TCP,
			line{"transport": "tcp", "name": "no.example.com.", "type": "A", "rcode": "NXDOMAIN", "answers": 0.0}},
		{"an extended rcode", plainQuery(www(), optRecord(1232, 1<<16)), UDP,
			line{"transport": "udp", "name": "www.example.com.", "type": "A", "rcode": "BADVERS", "answers": 0.0}},
		{"no question", request{}.bytes(), UDP,
			line{"transport": "udp", "name": "", "type": "", "rcode": "FORMERR", "answers": 0.0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			log, err := querylog.New(querylog.Options{Sample: 1, File: path})
			if err != nil {
				t.Fatal(err)
			}
			s := observed(t, Observers{QueryLog: log})
			s.Handle(c.request, asker, c.transport, nil)
			b := written(t, log.Run, func() bool { return log.Stats().Written == 1 }, path)
			got := line{}
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatalf("%s: %v", b, err)
			}
			c.want["time"], c.want["client"], c.want["microseconds"] = "2026-01-02T03:04:05.000000Z", "203.0.113.0/24", 0.0
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestQueryLogHasWhatCounts: a client subnet of a resolver that is not believed changed no answer, and is not in the log. The
// address that was asked is, where it is known.
func TestQueryLogHasWhatCounts(t *testing.T) {
	log, err := querylog.New(querylog.Options{Sample: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, func(o *Options) { o.Observers.QueryLog = log }, withPolicy(func(o *PolicyOptions) {
		o.ClientSubnetFrom = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	}))
	r, local := s.newResponder(), netip.MustParseAddrPort("198.51.100.53:53")
	for from, want := range map[string]string{"203.0.113.7": "10.0.5.0/24", "198.51.100.5": "invalid Prefix"} {
		q := plainQuery(question("hash.example.com.", dns.TypeA, dns.ClassINET), optRecord(1232, 0, option(dns.EDNS0SUBNET, 0, 1, 24, 0, 10, 0, 5)))
		r.answer(q, len(q), &client{addr: netip.MustParseAddr(from), local: local})
		if e := &r.observe.entry; e.Subnet.String() != want || e.Listener != local.Addr() {
			t.Errorf("from %s: subnet %s, listener %s; want %s and %s", from, e.Subnet, e.Listener, want, local.Addr())
		}
	}
}

func TestNobodyLooks(t *testing.T) {
	s := observed(t, Observers{})
	if r := s.newResponder(); r.observe != nil {
		t.Error("a responder is observed without observers")
	}
}

// watched returns a watcher with everything on whose output nobody reads, and an answer to show it.
func watched(t testing.TB) (w *watcher, query, answer []byte, c *client) {
	t.Helper()
	sink, err := dnstap.New(dnstap.Options{File: "unused", Responses: true, Queue: dnstap.MaxQueue})
	if err != nil {
		t.Fatal(err)
	}
	log, err := querylog.New(querylog.Options{Sample: 0.001})
	if err != nil {
		t.Fatal(err)
	}
	s := observed(t, Observers{Dnstap: sink, QueryLog: log})
	query = plainQuery(www(), optRecord(1232, 0, option(dns.EDNS0SUBNET, 0, 1, 24, 0, 203, 0, 113)))
	c = &client{addr: asker.Addr(), port: asker.Port(), local: netip.MustParseAddrPort("192.0.2.53:53")}
	return s.newResponder().observe, query, s.Handle(query, asker, UDP, nil), c
}

func TestWatcherAllocatesNothing(t *testing.T) {
	w, query, answer, c := watched(t)
	one := func() {
		w.before(query, c)
		w.after(answer, c)
		w.record(answer, c)
	}
	one()
	if n := testing.AllocsPerRun(50, one); n != 0 { // fewer than fill the batch
		t.Errorf("got %v allocations, want none", n)
	}
}

func BenchmarkWatcher(b *testing.B) {
	w, query, answer, c := watched(b)
	w.now = time.Now
	for i := range b.N {
		w.before(query, c)
		w.after(answer, c)
		if i%32 == 0 {
			w.flush()
		}
	}
}

// FuzzRecord shows the query log any bytes that could be a response.
func FuzzRecord(f *testing.F) {
	s := observed(f, Observers{})
	for _, q := range [][]byte{
		plainQuery(www()), plainQuery(www(), optRecord(1232, 1<<16)), request{}.bytes(),
		plainQuery(question("hash.example.com.", dns.TypeA, dns.ClassINET), optRecord(1232, 0, option(dns.EDNS0SUBNET, 0, 1, 24, 0, 203, 0, 113))),
	} {
		f.Add(s.Handle(q, asker, UDP, nil))
	}
	f.Add([]byte(strings.Repeat("\xff", 40)))
	log, err := querylog.New(querylog.Options{Sample: 1})
	if err != nil {
		f.Fatal(err)
	}
	w := Observers{QueryLog: log}.watcher(time.Now, new(policy))
	c := &client{addr: asker.Addr()}
	f.Fuzz(func(t *testing.T, response []byte) {
		if len(response) < headerOctets {
			return
		}
		w.record(response, c)
		m := new(dns.Msg)
		if m.Unpack(response) != nil || len(m.Question) != 1 || m.Question[0].Qclass == 0 {
			return // a message that ends within its question is a question to miekg/dns, too
		}
		if _, plain := skipQuestionName(response, headerOctets); !plain {
			return // we send no pointers there
		}
		if opt := m.IsEdns0(); opt != nil && len(m.Answer)+len(m.Ns) == 0 && len(m.Extra) == 1 && int(w.entry.Rcode) != m.Rcode {
			t.Errorf("rcode: got %d, want %d", w.entry.Rcode, m.Rcode)
		}
		if w.entry.Type != m.Question[0].Qtype {
			t.Errorf("type: got %d, want %d", w.entry.Type, m.Question[0].Qtype)
		}
	})
}
