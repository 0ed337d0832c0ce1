package node_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/gslb"
	"fairlead/internal/node"
	"fairlead/internal/query"
)

// keepingDocument has a name whose clients keep their service, of three; the state of the first, and the room for sessions,
// are arguments.
func keepingDocument(state string, room int) string {
	return fmt.Sprintf(`zones:
  - {name: example.test, nameservers: [ns.example.test]}
sites: [{name: here, address: 127.0.0.1}]
settings: {sessions: {max_entries: %d}}
services:
  - {name: a, site: here, addresses: [192.0.2.1, "2001:db8::1"], state: %s}
  - {name: b, site: here, addresses: [192.0.2.2, "2001:db8::2"]}
  - {name: c, site: here, addresses: [192.0.2.3, "2001:db8::3"]}
virtual_servers:
  - name: www
    domains: [{name: www.example.test}]
    method: round-robin
    members: [{service: a}, {service: b}, {service: c}]
    persistence: {type: source-ip, timeout: 10m, prefix4: 24, prefix6: 56}
`, room, state)
}

// answerTo asks the node for a client subnet, and returns the data of the answer.
func answerTo(t *testing.T, n *node.Node, qtype, client string) string {
	t.Helper()
	q := query.Request{Name: "www.example.test", Type: qtype, Server: n.DNSAddrs()[0].String()}
	if client != "" {
		a := netip.MustParseAddr(client)
		q.Subnet = netip.PrefixFrom(a, a.BitLen())
	}
	r, err := query.Do(context.Background(), q)
	if err != nil {
		t.Fatalf("query for %s: %v", client, err)
	}
	return strings.Join(r.Short(), " ")
}

// clientsOf asks for many clients, of networks first to last, and returns what each got.
func clientsOf(t *testing.T, n *node.Node, first, last, host int) map[int]string {
	t.Helper()
	out := map[int]string{}
	for i := first; i < last; i++ {
		out[i] = answerTo(t, n, "A", fmt.Sprintf("198.51.%d.%d", i, host))
	}
	return out
}

// same compares what clients got before with what they get now.
func same(t *testing.T, when string, before, now map[int]string) {
	t.Helper()
	for i := range before {
		if before[i] != now[i] {
			t.Errorf("%s: client %d: %s, before it was %s", when, i, now[i], before[i])
		}
	}
}

// serving waits until a document that was reloaded is served.
func (p *place) serving(n *node.Node, text string) {
	p.t.Helper()
	p.write(text)
	before := n.State().DocumentID
	if err := n.Reload(); err != nil {
		p.t.Fatalf("Reload: %v", err)
	}
	for deadline := time.Now().Add(patience); n.State().DocumentID == before; {
		if time.Now().After(deadline) {
			p.t.Fatal("the document is not served")
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestClientsKeepTheirService(t *testing.T) {
	p := newPlace(t, true)
	p.write(keepingDocument("enabled", 5000))
	n, _ := p.serve(nil)

	first := clientsOf(t, n, 0, 30, 1)
	counts := map[string]int{}
	for _, got := range first {
		counts[got]++
	}
	if counts["192.0.2.1"] != 10 || counts["192.0.2.2"] != 10 || counts["192.0.2.3"] != 10 {
		t.Fatalf("30 clients were spread as %v", counts)
	}
	same(t, "another address of the same /24", first, clientsOf(t, n, 0, 30, 200))

	six := answerTo(t, n, "AAAA", "2001:db8:7:100::1")
	for i, tt := range []string{"2001:db8:7:1ff::2", "2001:db8:7:100::3", "2001:db8:7:1aa::4"} {
		if got := answerTo(t, n, "AAAA", tt); got != six {
			t.Errorf("address %d of the same /56: %s, want %s", i, got, six)
		}
	}
	ldns := answerTo(t, n, "A", "")
	for range 5 {
		if got := answerTo(t, n, "A", ""); got != ldns {
			t.Errorf("without a client subnet: %s, want %s, as the resolver got before", got, ldns)
		}
	}

	p.serving(n, keepingDocument("enabled", 9000))
	same(t, "more room", first, clientsOf(t, n, 0, 30, 3))

	p.serving(n, keepingDocument("draining", 9000))
	same(t, "draining", first, clientsOf(t, n, 0, 30, 4))
	for i, got := range clientsOf(t, n, 100, 130, 1) {
		if got == "192.0.2.1" {
			t.Errorf("new client %d was sent to a draining service", i)
		}
	}

	p.serving(n, keepingDocument("disabled", 9000))
	second := clientsOf(t, n, 0, 30, 5)
	for i := range first {
		if second[i] == "192.0.2.1" || first[i] != "192.0.2.1" && second[i] != first[i] {
			t.Errorf("client %d: %s, before a was disabled it was %s", i, second[i], first[i])
		}
	}
	p.serving(n, keepingDocument("enabled", 9000))
	same(t, "enabled again", second, clientsOf(t, n, 0, 30, 6))
}

func TestSessionsSurviveARestart(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	p.write(keepingDocument("enabled", 5000))
	n, stop := p.serve(nil)
	before := clientsOf(t, n, 0, 30, 1)
	prefix, measured := netip.MustParsePrefix("203.0.113.0/24"), []gslb.PushedValue{{Service: 1, Value: 5, Until: time.Now().Unix() + 1000}}
	if err := n.State().Snapshot.Learned.Pushed.Set(prefix, measured, time.Now().Unix()); err != nil {
		t.Fatal(err)
	}
	stop()
	path := filepath.Join(p.config.DataDir, "learned.v1")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Fatalf("after a planned stop: %v, %v", info, err)
	}

	n, stop = p.serve(nil)
	answerTo(t, n, "A", "203.0.113.1") // turns begin anew: without their sessions, all others would get the next service now
	same(t, "after a restart", before, clientsOf(t, n, 0, 30, 2))
	if got, _ := n.State().Snapshot.Learned.Pushed.Get(prefix); !slices.Equal(got, measured) {
		t.Errorf("after a restart: measurements are %v, want %v", got, measured)
	}
	stop()

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.WarnLevel)
	n, stop = p.serve(func(o *node.Options) { o.Logger = zap.New(core) })
	if answerTo(t, n, "A", "198.51.0.1") == "" {
		t.Error("no answer with a damaged file")
	}
	stop()
	if logs.FilterMessage("learned.unusable").Len() != 1 {
		t.Errorf("the log does not tell of the damaged file: %v", logs.All())
	}
}
