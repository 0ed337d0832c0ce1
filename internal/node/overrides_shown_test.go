package node_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/internal/node"
)

// twoServices has www with web and, while that is out, spare.
const twoServices = `zones:
  - name: example.test
    nameservers: [ns.example.test]
    records: |
      ns 60 A 192.0.2.53
sites: [{name: here, address: 127.0.0.1}]
services:
  - {name: web, site: here, addresses: [192.0.2.1]}
  - {name: spare, site: here, addresses: [192.0.2.2]}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: web}], backup: spare, backup_hold: true}
  - {name: spare, method: round-robin, members: [{service: spare}]}
`

func clientOf(t *testing.T, n *node.Node) *client.Client {
	t.Helper()
	c, err := client.New(n.APIAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestOverridesAreServedAndKept orders over the API what queries are then answered, also by the next process; the backup is
// held until it is released.
func TestOverridesAreServedAndKept(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	p.write(twoServices)
	n, stop := p.serve(nil)
	c := clientOf(t, n)
	eventually(t, n, "www.example.test", "192.0.2.1")
	web := client.Subject{Kind: "services", Name: "web"}
	if _, err := c.Give(t.Context(), web, "disable", resource.Order{Reason: "kernel", For: "1h", Owner: "kim"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, n, "www.example.test", "192.0.2.2")
	stop()
	c.Close()
	if _, err := os.Stat(filepath.Join(p.config.DataDir, "overrides.json")); err != nil {
		t.Fatal(err)
	}

	n, stop = p.serve(nil)
	defer stop()
	c = clientOf(t, n)
	eventually(t, n, "www.example.test", "192.0.2.2")
	s, err := c.Service(t.Context(), "web")
	if err != nil || s.State != "DISABLED" || s.Override == nil || s.Override.Owner != "kim" {
		t.Fatalf("after a restart: %+v, %v; want it DISABLED by kim", s, err)
	}
	if _, err := c.Withdraw(t.Context(), web, "clear", resource.Withdrawal{}); err != nil {
		t.Fatal(err)
	}
	until(t, "web is UP again", func() bool {
		s, err := c.Service(t.Context(), "web")
		return err == nil && s.State == "UP"
	})
	eventually(t, n, "www.example.test", "192.0.2.2") // held
	if _, err := c.Withdraw(t.Context(), client.Subject{Kind: "virtual-servers", Name: "www"}, "release", resource.Withdrawal{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, n, "www.example.test", "192.0.2.1")
}

// until waits for something.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline, tick := time.NewTimer(patience), time.NewTicker(20*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// TestADamagedFileOfOverrides is told of, and is no reason not to serve.
func TestADamagedFileOfOverrides(t *testing.T) {
	p := newPlace(t, true)
	p.write(document("192.0.2.1"))
	if err := os.MkdirAll(p.config.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.config.DataDir, "overrides.json"), fmt.Appendf(nil, "{%s", "broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, _ := p.serve(nil)
	eventually(t, n, "www.example.test", "192.0.2.1")
}

// TestOverridesAreShared orders at one site what the other one answers. Both listen where there is room, and find each other
// by the addresses of the document.
func TestOverridesAreShared(t *testing.T) {
	t.Parallel()
	text := strings.Replace(twoServices, "sites: [{name: here, address: 127.0.0.1}]",
		"sites: [{name: here, address: \"127.0.0.1:30901\"}, {name: there, address: \"127.0.0.1:30902\"}]", 1)
	var mu sync.Mutex
	real := map[string]string{}
	seams := func(o *node.Options) {
		o.Config.MEP.Insecure = true
		o.MEPListen = func(ctx context.Context, network, address string) (net.Listener, error) {
			l, err := new(net.ListenConfig).Listen(ctx, network, "127.0.0.1:0")
			if err == nil {
				mu.Lock()
				real[address] = l.Addr().String()
				mu.Unlock()
			}
			return l, err
		}
		o.MEPDial = func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			address = real[address]
			mu.Unlock()
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	}
	serve := func(site, listen string) *node.Node {
		p := newPlace(t, true)
		p.write(text)
		p.config.Site, p.config.MEP.Listen = site, listen
		n, _ := p.serve(seams)
		return n
	}
	here, there := serve("here", "127.0.0.1:30901"), serve("there", "127.0.0.1:30902")
	eventually(t, there, "www.example.test", "192.0.2.1")
	web := client.Subject{Kind: "services", Name: "web"}
	if _, err := clientOf(t, here).Give(t.Context(), web, "disable", resource.Order{Reason: "kernel"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, there, "www.example.test", "192.0.2.2")
	list, err := clientOf(t, there).Overrides(t.Context())
	if err != nil || len(list.Overrides) == 0 || list.Overrides[0].Site != "here" || list.Overrides[0].Reason != "kernel" {
		t.Errorf("the other site lists %+v, %v; want the order of here", list, err)
	}
}
