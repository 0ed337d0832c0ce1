package node_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"fairlead/internal/node"
)

// backends is what monitors dial: each address is there, but for those that are down.
type backends struct{ down [2]atomic.Bool } // 192.0.2.1 and 192.0.2.2

func (b *backends) dial(_ context.Context, _, address string) (net.Conn, error) {
	for i := range b.down {
		if strings.HasPrefix(address, fmt.Sprintf("192.0.2.%d:", i+1)) && b.down[i].Load() {
			return nil, errors.New("refused")
		}
	}
	here, there := net.Pipe()
	_ = there.Close()
	return here, nil
}

// probed is a document whose services are monitored, each at a site of its own.
func probed(virtualServer string) string {
	return fmt.Sprintf(`zones:
  - {name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}
sites: [{name: here, address: 127.0.0.1}, {name: there, address: 127.0.0.2}]
settings: {damping: {min_hold: 0s, suppress: 0}, suspicion: {share: 0}}
monitors: [{name: tcp, type: tcp, interval: 1s, timeout: 900ms, fall: 1, rise: 1}]
services:
  - {name: a, site: here, addresses: [192.0.2.1], port: 80, monitors: [tcp]}
  - {name: b, site: there, addresses: [192.0.2.2], port: 80, monitors: [tcp]}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], members: [{service: a}, {service: b}], %s}
`, virtualServer)
}

// becomes waits until the API shows a service in a state. Its monitors have states as well, and have them before it does.
func becomes(t *testing.T, n *node.Node, service, state string) {
	t.Helper()
	shows(t, n, "/v1/status/services/"+service, fmt.Sprintf(`"state":%q,"without_ipv4":`, state))
}

// TestClientsLeaveAServiceThatIsDown: whom a monitor's verdict sent away stays where it was sent, also when the service is
// back; the clients of the other one never move.
func TestClientsLeaveAServiceThatIsDown(t *testing.T) {
	t.Parallel()
	var b backends
	p := newPlace(t, true)
	p.write(probed("method: round-robin, persistence: {type: source-ip, timeout: 10m, prefix4: 24}"))
	n, _ := p.serve(func(o *node.Options) { o.ProbeDial = b.dial })
	becomes(t, n, "a", "UP")
	becomes(t, n, "b", "UP")
	first := clientsOf(t, n, 0, 20, 1)
	counts := map[string]int{}
	for _, got := range first {
		counts[got]++
	}
	if counts["192.0.2.1"] != 10 || counts["192.0.2.2"] != 10 {
		t.Fatalf("20 clients were spread as %v", counts)
	}
	b.down[0].Store(true)
	becomes(t, n, "a", "DOWN")
	for i, got := range clientsOf(t, n, 0, 20, 2) {
		if got != "192.0.2.2" {
			t.Errorf("while a is down client %d got %s", i, got)
		}
	}
	b.down[0].Store(false)
	becomes(t, n, "a", "UP")
	for i, got := range clientsOf(t, n, 0, 20, 3) {
		if got != "192.0.2.2" {
			t.Errorf("when a is back client %d got %s: it had a session with b by then", i, got)
		}
	}
}

// TestReportedRoundTripTimesDecide: from the API to the answer, as the last report of each site has it.
func TestReportedRoundTripTimesDecide(t *testing.T) {
	t.Parallel()
	var b backends
	p := newPlace(t, true)
	p.write(probed("method: rtt"))
	n, _ := p.serve(func(o *node.Options) { o.ProbeDial = b.dial })
	becomes(t, n, "a", "UP")
	becomes(t, n, "b", "UP")
	report := func(site string, ms int) {
		t.Helper()
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+n.APIAddr().String()+"/v1/ldns/127.0.0.1",
			strings.NewReader(fmt.Sprintf(`{"site": %q, "rtt_ms": %d}`, site, ms)))
		if err != nil {
			t.Fatal(err)
		}
		q.Close = true // no connection may outlast the test
		q.Header.Set("Content-Type", "application/json")
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusNoContent {
			t.Fatalf("report of %s: %s", site, r.Status)
		}
	}
	for _, tt := range []struct{ here, there int }{{20, 200}, {300, 30}, {1, 30}} {
		report("here", tt.here)
		report("there", tt.there)
		want := "192.0.2.1"
		if tt.there < tt.here {
			want = "192.0.2.2"
		}
		for range 4 {
			if got := answer(t, n, "www.example.test"); got != want {
				t.Errorf("%d ms from here, %d ms from there: answered %q, want %s", tt.here, tt.there, got, want)
			}
		}
	}
}
