package node

import (
	"context"
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

// servePrimary serves any zone, with a www that has an address, and in bad.test an alias beside it.
func servePrimary(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rr := func(text string) dns.RR {
		r, err := dns.NewRR(text)
		if err != nil {
			t.Error(err)
		}
		return r
	}
	server := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		zone := q.Question[0].Name
		soa := rr(zone + " 60 IN SOA ns.example. host.example. 7 3600 600 86400 60")
		m := new(dns.Msg).SetReply(q)
		m.Answer = []dns.RR{soa}
		if q.Question[0].Qtype == dns.TypeAXFR {
			m.Answer = append(m.Answer, rr(zone+" 60 IN NS ns.example."), rr("www."+zone+" 60 IN A 192.0.2.1"))
			if zone == "bad.test." {
				m.Answer = append(m.Answer, rr("www.bad.test. 60 IN CNAME other.test."))
			}
			m.Answer = append(m.Answer, soa)
		}
		_ = w.WriteMsg(m)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.ActivateAndServe()
	}()
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-done
	})
	return l.Addr().String()
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not within 10 s: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestArrivalsAreServedTogether: zones that come while others are compiled are compiled as one, however many; one that
// cannot be served is refused alone.
func TestArrivalsAreServedTogether(t *testing.T) {
	const good = 40
	primary := servePrimary(t)
	text := "sites: [{name: here, address: 127.0.0.1}]\nzones:\n"
	for i := range good + 1 {
		name := fmt.Sprintf("z%d.test", i)
		if i == good {
			name = "bad.test"
		}
		text += fmt.Sprintf("  - {name: %s, primaries: [%q]}\n", name, primary)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "gslb.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := New(Options{Config: &config.Node{Site: "here", DataDir: filepath.Join(dir, "data"), Config: config.NodeConfig{Follow: file},
		API: config.NodeAPI{Listen: "127.0.0.1:0"}, DNS: config.NodeDNS{Listen: []string{"127.0.0.1:0"}, Workers: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)

	n.reloading.Lock() // somebody reads a document
	go func() { ended <- n.zones.run(ctx) }()
	a := &n.zones.arrivals
	until(t, "all zones wait to be served", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.gathered != nil && len(a.gathered.zones) == good+1
	})
	n.reloading.Unlock()
	served, failure := 0, ""
	until(t, "all zones are served or refused", func() bool {
		served, failure = 0, ""
		settled := 0
		for _, st := range n.zones.secondary.Status() {
			if st.Zone == "bad.test." {
				failure = st.Failure
			} else if st.Served && !st.Confirmed.IsZero() {
				served++
			}
			if st.Failure != "" || !st.Confirmed.IsZero() {
				settled++
			}
		}
		return settled == good+1
	})
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	if served != good || !strings.Contains(failure, "CNAME") {
		t.Errorf("%d zones are served, want %d; the bad one's failure is %q", served, good, failure)
	}
	if got := len(n.publisher.inbox); got != 1 {
		t.Errorf("%d intents were made of zones that came together, want 1", got)
	}
}

// TestArrivalsRest: batches that follow each other leave time for other work, and the end of the node cuts that short.
func TestArrivalsRest(t *testing.T) {
	ending := make(chan struct{})
	a := &arrivals{ending: ending}
	a.wait() // nothing came before
	a.took(time.Hour)
	if left := time.Until(a.rest); left > maxArrivalRest {
		t.Errorf("the next batch is compiled in %v, want at most %v", left, maxArrivalRest)
	}
	a.rest = time.Now().Add(time.Hour)
	close(ending)
	a.wait()
	first, isFirst := a.join("a.test.")
	second, isSecond := a.join("b.test.")
	if first != second || !isFirst || isSecond {
		t.Error("two zones that come together are in two batches")
	}
	a.close()
	if third, again := a.join("c.test."); third == first || !again {
		t.Error("a zone joined a batch that was closed")
	}
}
