//go:build integration && linux

package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fairlead/api/resource"
	"fairlead/internal/testkit/faultproxy"
)

// The sites of the fault runs. Clients and monitors use one network (eth0), the exchange another (eth1), so that one can be
// broken and the other not.
var (
	faultPlaces = []place{
		{wan, []string{"203.0.113.10/24"}},
		{"ams", []string{"192.0.2.10/24", "192.0.2.53/24", "192.0.2.80/24"}},
		{"nyc", []string{"198.51.100.10/24", "198.51.100.53/24", "198.51.100.80/24", "198.51.100.81/24"}},
		{"sin", []string{"198.18.3.10/24", "198.18.3.53/24", "198.18.3.80/24"}},
		{"shop", []string{"198.18.4.10/24", "198.18.4.80/24"}},
	}
	faultSites = []string{"ams", "nyc", "sin", "shop"}
	// answering is where the sites that answer DNS are asked.
	answering = map[string]string{"ams": "192.0.2.53:53", "nyc": "198.51.100.53:53", "sin": "198.18.3.53:53"}
	// exchangeAt is where each site's exchange is, and siteNet where all else of it is.
	exchangeAt = map[string]string{"ams": "10.9.0.11", "nyc": "10.9.0.12", "sin": "10.9.0.13", "shop": "10.9.0.14"}
	siteNet    = map[string]string{"ams": "192.0.2.0/24", "nyc": "198.51.100.0/24", "sin": "198.18.3.0/24", "shop": "198.18.4.0/24"}
	// back are the back-ends that monitors see.
	back = map[string][]string{"ams": {"192.0.2.80:80"}, "nyc": {"198.51.100.80:80", appNYC}, "sin": {"198.18.3.80:80"}, "shop": {"198.18.4.80:80"}}
	// dialers are who opens the connection of each pair, and where the fault proxy takes it when there is one.
	dialers = []struct{ from, to, proxy string }{
		{"ams", "nyc", "10.9.0.1:3101"}, {"ams", "sin", "10.9.0.1:3102"}, {"nyc", "sin", "10.9.0.1:3103"},
		{"ams", "shop", "10.9.0.1:3104"}, {"nyc", "shop", "10.9.0.1:3105"},
	}
)

// appNYC is the back-end that really stops.
const appNYC = "198.51.100.81:80"

// faultLab is a lab with the sites of the fault runs in it, all of them serving.
type faultLab struct {
	*lab
	seen    *changes
	api     map[string]*http.Client
	nodes   map[string]*process
	servers map[string]*http.Server
	proxies map[string]*faultproxy.Proxy // by dialer and dialled, "ams-nyc"; empty: none
}

// newFaultLab starts the sites and waits until they agree. With proxied set all of the exchange goes through fault proxies.
func newFaultLab(t *testing.T, proxied bool, p pace) *faultLab {
	t.Helper()
	f := &faultLab{lab: newLab(t, filepath.Join("testdata", "faults"), faultPlaces, "nft", "tc"), seen: &changes{},
		api: map[string]*http.Client{}, nodes: map[string]*process{}, servers: map[string]*http.Server{}, proxies: map[string]*faultproxy.Proxy{}}
	t.Cleanup(func() {
		for _, s := range f.servers {
			_ = s.Close()
		}
	})
	f.in(wan, "ip", "link", "add", "eth1", "type", "bridge")
	f.in(wan, "ip", "link", "set", "eth1", "up")
	f.in(wan, "ip", "addr", "add", "10.9.0.1/24", "dev", "eth1")
	f.run(f.binary, "pki", "init")
	for _, s := range faultSites {
		f.in(wan, "ip", "link", "add", "x-"+s, "type", "veth", "peer", "name", "eth1", "netns", f.ns[s])
		f.in(wan, "ip", "link", "set", "x-"+s, "master", "eth1", "up")
		f.in(s, "ip", "link", "set", "eth1", "up")
		f.in(s, "ip", "addr", "add", exchangeAt[s]+"/24", "dev", "eth1")
		f.run(f.binary, "pki", "issue", s)
		for _, address := range back[s] {
			f.serve(s, address)
		}
		f.api[s] = f.client(s)
	}
	f.paced(p)
	if proxied {
		f.proxy()
	}
	for _, s := range faultSites {
		f.nodes[s] = f.startWatched(s, "", f.seen.of(s), f.binary, "serve", "-f", "node-"+s+".yaml")
	}
	eventually(t, 40*time.Second, "all sites hear each other and agree", f.healed)
	return f
}

// inside runs do in a place: the sockets that it makes belong there, whoever uses them later.
func (l *lab) inside(ns string, do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and nobody else is moved
		file, err := os.Open("/var/run/netns/" + l.ns[ns])
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			_ = file.Close()
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// dialFrom is a dialer in a place.
func (l *lab) dialFrom(ns string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = l.inside(ns, func() (err error) {
			conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
}

// client asks what listens on a place's loopback interface.
func (f *faultLab) client(ns string) *http.Client {
	transport := &http.Transport{DialContext: f.dialFrom(ns), MaxIdleConns: 2}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 5 * time.Second}
}

// serve starts a back-end.
func (f *faultLab) serve(ns, address string) {
	f.t.Helper()
	var listener net.Listener
	err := f.inside(ns, func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	f.servers[address] = server // which ends with the lab, not with the test that started it
}

// proxy puts fault proxies between the sites: who dials is led to one, which connects to who was meant.
func (f *faultLab) proxy() {
	f.t.Helper()
	for i, d := range dialers {
		var p *faultproxy.Proxy
		err := f.inside(wan, func() (err error) {
			p, err = faultproxy.New(faultproxy.Options{Listen: d.proxy, Target: exchangeAt[d.to] + ":3009", Seed: uint64(i), Dial: f.dialFrom(wan)})
			return err
		})
		if err != nil {
			f.t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		f.t.Cleanup(func() { cancel(); <-ended })
		f.proxies[d.from+"-"+d.to] = p
		f.in(d.from, "nft", "add table ip lead; add chain ip lead out { type nat hook output priority -100; }; "+
			fmt.Sprintf("add rule ip lead out ip daddr %s tcp dport 3009 dnat to %s", exchangeAt[d.to], d.proxy))
	}
}

// drop loses packets that come to a site, those that a rule of nft matches.
func (f *faultLab) drop(site string, matches ...string) {
	f.t.Helper()
	text := "add table inet fault; add chain inet fault in { type filter hook input priority 0; }; "
	for _, m := range matches {
		text += "add rule inet fault in " + m + " drop; "
	}
	f.in(site, "nft", text)
}

// undrop ends what drop began.
func (f *faultLab) undrop(sites ...string) {
	f.t.Helper()
	for _, s := range sites {
		f.in(s, "nft", "add table inet fault; delete table inet fault")
	}
}

// from matches what comes from a site: over the exchange's network, or any.
func from(site string, all bool) []string {
	rules := []string{"ip saddr " + exchangeAt[site]}
	if all {
		rules = append(rules, "ip saddr "+siteNet[site])
	}
	return rules
}

// split cuts groups of sites from each other, both ways.
func (f *faultLab) split(all bool, groups ...[]string) {
	f.t.Helper()
	for i, g := range groups {
		for _, site := range g {
			var rules []string
			for k, other := range groups {
				for _, o := range other {
					if k != i {
						rules = append(rules, from(o, all)...)
					}
				}
			}
			f.drop(site, rules...)
		}
	}
}

// get reads a page of a site's interface.
func (f *faultLab) get(site, path string, into any) error {
	reply, err := f.api[site].Get("http://127.0.0.1:8053" + path)
	if err != nil {
		return fmt.Errorf("ask %s: %w", site, err)
	}
	defer reply.Body.Close()
	if err := json.NewDecoder(reply.Body).Decode(into); err != nil {
		return fmt.Errorf("ask %s for %s: %w", site, path, err)
	}
	return nil
}

// healed says what is still wrong: a session that is missing, a service that a site does not believe to be UP, sites that
// answer differently.
func (f *faultLab) healed() error {
	for _, s := range faultSites {
		var list resource.SiteList
		if err := f.get(s, "/v1/status/sites", &list); err != nil {
			return err
		}
		for _, other := range list.Sites {
			if slices.Contains([]string{resource.PeerDown, resource.PeerConnecting, resource.PeerLeft}, other.Peer) {
				return fmt.Errorf("at %s, the session with %s is %s (%s)", s, other.Name, other.Peer, other.LastError)
			}
		}
		if answering[s] == "" {
			continue
		}
		if err := f.allUp(s); err != nil {
			return err
		}
	}
	return f.same()
}

// allUp says which service a site does not believe to be UP.
func (f *faultLab) allUp(site string) error {
	var list resource.ServiceList
	if err := f.get(site, "/v1/status/services", &list); err != nil {
		return err
	}
	for _, s := range list.Services {
		if s.State != "UP" {
			return fmt.Errorf("at %s, %s is %s (%s)", site, s.Name, s.State, s.Reason)
		}
	}
	return nil
}

// same says which name the sites answer differently.
func (f *faultLab) same() error {
	for _, name := range faultNames {
		answers := map[string][]string{}
		for site, server := range answering {
			got, err := f.ask(server, name, time.Second)
			if err != nil {
				return fmt.Errorf("ask %s for %s: %w", site, name, err)
			}
			answers[got] = append(answers[got], site)
		}
		if len(answers) != 1 {
			return fmt.Errorf("%s is answered differently: %v", name, answers)
		}
	}
	return nil
}

// limit lets only so much out of each site on the exchange's network.
func (f *faultLab) limit(rate string) {
	f.t.Helper()
	for _, s := range faultSites {
		f.in(s, "tc", strings.Fields("qdisc add dev eth1 root tbf rate "+rate+" burst 3000 latency 2s")...)
	}
}

func (f *faultLab) unlimit() {
	f.t.Helper()
	for _, s := range faultSites {
		f.in(s, "tc", "qdisc", "del", "dev", "eth1", "root")
	}
}
