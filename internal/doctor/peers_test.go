package doctor

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/config"
)

// TestPeersOfAChild: a site with a parent is told of the sites that it has sessions with, and of no others.
func TestPeersOfAChild(t *testing.T) {
	s := newSite(t, 365*24*time.Hour, "")
	s.write(t, "gslb.yaml", strings.Replace(siteDocument, "sites: [{name: ams, address: 192.0.2.10}, {name: nyc, address: 198.51.100.10}]", `sites:
  - {name: ams, address: 192.0.2.10, parent: nyc, backup_parents: [fra]}
  - {name: nyc, address: 198.51.100.10}
  - {name: fra, address: 198.51.100.11}
  - {name: lon, address: 198.51.100.12}
  - {name: par, address: 198.51.100.13, parent: nyc}`, 1))
	var mu sync.Mutex
	var asked []string
	dial := func(_ context.Context, _, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, strings.Split(address, ":")[0])
		return nil, errors.New("refused")
	}
	r := Run(t.Context(), Options{Config: s.file, Dial: dial, ResolvConf: "/no/such/file", Timeout: 8 * time.Second})
	mu.Lock()
	defer mu.Unlock()
	for _, stranger := range []string{"198.51.100.12", "198.51.100.13"} {
		if slices.Contains(asked, stranger) {
			t.Errorf("%s is connected to, with which there is no session", stranger)
		}
	}
	got := examined(r, "peers")
	if len(got) != 2 || !has(got, "warning refused") || has(got, "failed") {
		t.Errorf("parents open the connections with their children, so none must be reached; got\n%v", got)
	}
}

// TestWhoOpens: what the dial modes say of who has to reach whom.
func TestWhoOpens(t *testing.T) {
	for _, tt := range []struct {
		name      string
		self, far config.Site
		they      bool
	}{
		{"the lower address", config.Site{}, config.Site{}, false},
		{"a parent with its child", config.Site{Parent: "b"}, config.Site{}, true},
		{"a child with its parent", config.Site{}, config.Site{Parent: "a"}, false},
		{"the far one with all", config.Site{}, config.Site{Dial: config.DialAlways}, true},
		{"the far one with none", config.Site{Parent: "b"}, config.Site{Dial: config.DialNever}, false},
		{"this one with none", config.Site{Dial: config.DialNever}, config.Site{}, true},
		{"either", config.Site{}, config.Site{Dial: config.DialBoth}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.self.Name, tt.self.Address, tt.far.Name, tt.far.Address = "a", "192.0.2.1", "b", "192.0.2.2"
			p := &patient{node: &config.Node{Site: "a"}, doc: &config.Document{Sites: []config.Site{tt.self, tt.far}}}
			if got := p.theyDial(tt.far); got != tt.they {
				t.Errorf("got %v, want %v", got, tt.they)
			}
		})
	}
}
