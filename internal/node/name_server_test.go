package node

import (
	"net"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// NameServer is a DNS server on loopback, over UDP and TCP, for tests. What it has no records of does not exist.
type NameServer struct {
	Address string

	mu       sync.Mutex
	records  map[dns.Question][]dns.RR
	rcode    int // of every answer; 0: as the records say
	truncate bool
	overTCP  int
}

// NewNameServer starts a server that ends with the test.
func NewNameServer(t *testing.T) *NameServer {
	t.Helper()
	s := &NameServer{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.Address = l.Addr().String()
	var ended sync.WaitGroup
	servers := []*dns.Server{{Listener: l, Handler: s.handler(true)}, {PacketConn: packets, Handler: s.handler(false)}}
	for _, server := range servers {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		ended.Go(func() { _ = server.ActivateAndServe() })
		<-started
	}
	t.Cleanup(func() {
		for _, server := range servers {
			_ = server.Shutdown()
		}
		ended.Wait()
	})
	return s
}

// Say makes the server have the records, in presentation form, and nothing else.
func (s *NameServer) Say(t *testing.T, records ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = map[dns.Question][]dns.RR{}
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		h := rr.Header()
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			q := dns.Question{Name: h.Name, Qtype: qtype, Qclass: dns.ClassINET}
			if h.Rrtype == qtype || h.Rrtype == dns.TypeCNAME {
				s.records[q] = append(s.records[q], rr)
			} else {
				s.records[q] = append(s.records[q], nil) // the name exists
			}
		}
	}
}

// Fail makes every answer have a response code; 0: no longer.
func (s *NameServer) Fail(rcode int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rcode = rcode
}

func (s *NameServer) handler(stream bool) dns.HandlerFunc {
	return func(w dns.ResponseWriter, q *dns.Msg) {
		s.mu.Lock()
		defer s.mu.Unlock()
		m := new(dns.Msg).SetReply(q)
		if stream {
			s.overTCP++
		}
		question := q.Question[0]
		for question.Name = dns.CanonicalName(question.Name); ; {
			records, exists := s.records[question]
			if !exists && len(m.Answer) == 0 {
				m.Rcode = dns.RcodeNameError
			}
			alias := ""
			for _, rr := range records {
				if rr == nil {
					continue
				}
				m.Answer = append(m.Answer, rr)
				if c, ok := rr.(*dns.CNAME); ok {
					alias = c.Target
				}
			}
			if alias == "" {
				break
			}
			question.Name = alias
		}
		if s.rcode != 0 {
			m.Rcode, m.Answer = s.rcode, nil
		}
		if s.truncate && !stream {
			m.Truncated, m.Answer = true, m.Answer[:min(1, len(m.Answer))]
		}
		_ = w.WriteMsg(m)
	}
}
