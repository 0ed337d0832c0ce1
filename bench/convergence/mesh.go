package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/internal/node"
	"fairlead/internal/pki"
	"fairlead/mep"
	reached "fairlead/sites"
)

const (
	sorryAddress = "192.0.2.1"
	startLimit   = 30 * time.Second
)

// mesh is the nodes of all sites.
type mesh struct {
	plan  plan
	dir   string
	sites []*site
}

// site is one node, its service with a monitor, and what asks it.
type site struct {
	name      string
	node      *node.Node
	exchange  net.Listener // where it is heard
	backend   net.Listener // what its monitored service is; nil: it does not work
	backendAt string
	network   *network
	stop      context.CancelFunc
	done      chan error
	dns       string // where it is asked
}

// newMesh makes all sites and starts them.
func newMesh(ctx context.Context, p plan) (*mesh, error) {
	dir, err := os.MkdirTemp("", "convergence")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	m := &mesh{plan: p, dir: dir}
	for i := range p.sites {
		s := &site{name: fmt.Sprintf("s%d", i), network: &network{}}
		m.sites = append(m.sites, s)
		if s.exchange, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
			s.backend, err = net.Listen("tcp", "127.0.0.1:0")
		}
		if err != nil {
			return nil, errors.Join(err, m.close())
		}
		s.backendAt = s.backend.Addr().String()
		go greet(s.backend)
	}
	authority, err := pki.NewAuthority(pki.Options{})
	for _, s := range m.sites {
		if err == nil {
			err = m.start(ctx, s, authority)
		}
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// greet takes connections, which is all that a monitor wants, until the listener closes.
func greet(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_ = conn.Close()
	}
}

// start starts one site's node.
func (m *mesh) start(ctx context.Context, s *site, authority *pki.Authority) error {
	pair, err := authority.Issue(s.name, pki.Options{})
	if err != nil {
		return fmt.Errorf("certificate for %q: %w", s.name, err)
	}
	identity, err := mep.NewIdentity(pair.Cert, pair.Key, authority.Cert())
	if err != nil {
		return fmt.Errorf("certificate for %q: %w", s.name, err)
	}
	c := &config.Node{Site: s.name, DataDir: filepath.Join(m.dir, s.name), API: config.NodeAPI{Listen: "127.0.0.1:0"},
		DNS: config.NodeDNS{Listen: []string{"127.0.0.1:0"}, Workers: 1}, MEP: config.NodeMEP{Listen: s.exchange.Addr().String()}}
	n, err := node.New(node.Options{Config: c, Source: &config.Source{Name: "mesh.yaml", Text: []byte(m.document())}, Identity: identity,
		MEPDial: s.network.dial, MEPListen: s.network.listen(s.exchange)})
	if err != nil {
		return fmt.Errorf("site %q: %w", s.name, err)
	}
	if err := n.Listen(ctx); err != nil {
		return fmt.Errorf("site %q: %w", s.name, err)
	}
	run, stop := context.WithCancel(ctx)
	s.node, s.stop, s.done = n, stop, make(chan error, 1)
	s.dns = n.DNSAddrs()[0].String()
	go func() { s.done <- n.Run(run) }()
	return nil
}

// document has two services at each site: one that its own monitor decides, whose word the others take, and one that only its
// site's presence supports. Each has a name, which is answered with sorryAddress when it is not UP.
func (m *mesh) document() string {
	var sites, services, servers strings.Builder
	for i, s := range m.sites {
		_, port, _ := net.SplitHostPort(s.backendAt)
		fmt.Fprintf(&sites, "  - {name: %s, address: %q, trigger_monitors: mep-down}\n", s.name, s.exchange.Addr())
		fmt.Fprintf(&services, "  - {name: web-%s, site: %s, addresses: [127.0.0.1], port: %s, monitors: [open]}\n", s.name, s.name, port)
		fmt.Fprintf(&services, "  - {name: plain-%s, site: %s, addresses: [198.51.100.%d]}\n", s.name, s.name, i+1)
		for _, kind := range []string{"web", "plain"} {
			fmt.Fprintf(&servers, "  - {name: %s-%s, domains: [{name: %s-%s.example.test}], method: round-robin, members: [{service: %s-%s}], backup: sorry}\n",
				kind, s.name, kind, s.name, kind, s.name)
		}
	}
	return fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], ttl: 5s, records: "ns 60 A 127.0.0.1"}]
sites:
%s  - {name: elsewhere, foreign: true}
monitors: [{name: open, type: tcp, interval: 250ms, timeout: 200ms, fall: 1, rise: 1}]
services:
%s  - {name: sorry, site: elsewhere, addresses: [%s]}
virtual_servers:
%s  - {name: sorry, method: round-robin, members: [{service: sorry}]}
settings:
  mep: {metrics_interval: %v, keepalive_timeout: %v}
  damping: {min_hold: 0s, suppress: 0}
`, sites.String(), services.String(), sorryAddress, servers.String(), m.plan.interval, m.plan.keepalive)
}

// settled waits until every site that runs has a session with every other one, and answers every name of each with its service. Answers
// alone would not do: third sites may vouch for a site whose session is not back yet, and whose leave nobody would tell of directly.
func (m *mesh) settled(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, startLimit+m.plan.keepalive)
	defer cancel()
	for _, at := range m.running() {
		for _, of := range m.others(at) {
			if err := at.hears(limited, of.name); err != nil {
				return err
			}
		}
	}
	for _, at := range m.running() {
		for _, of := range m.running() {
			for _, kind := range []string{"web-", "plain-"} {
				if _, err := at.until(limited, kind+of.name, up); err != nil {
					return fmt.Errorf("wait until all sites answer for all: %w", err)
				}
			}
		}
	}
	return nil
}

// hears waits until a site is told of another one by that itself.
func (s *site) hears(ctx context.Context, name string) error {
	for {
		st := s.node.State()
		i := slices.IndexFunc(st.Document.Sites, func(d config.Site) bool { return d.Name == name })
		if got := st.Sites[i]; got.Reach == reached.ReachHeard && got.Via == name {
			return nil
		}
		if err := pause(ctx, askPause); err != nil {
			return fmt.Errorf("wait until %s hears %s: %w", s.name, name, err)
		}
	}
}

// running is the sites that were not stopped.
func (m *mesh) running() []*site {
	var out []*site
	for _, s := range m.sites {
		if s.stop != nil {
			out = append(out, s)
		}
	}
	return out
}

// others is the running sites but one.
func (m *mesh) others(than *site) []*site {
	var out []*site
	for _, s := range m.running() {
		if s != than {
			out = append(out, s)
		}
	}
	return out
}

// end waits until a node whose context has ended is gone.
func (s *site) end() error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	s.stop = nil
	return <-s.done
}

// close stops everything.
func (m *mesh) close() error {
	var errs []error
	for _, s := range m.running() {
		s.stop() // all at once, as each takes a moment
	}
	for _, s := range m.sites {
		errs = append(errs, s.end())
		for _, l := range []net.Listener{s.backend, s.exchange} {
			if l != nil {
				_ = l.Close()
			}
		}
	}
	return errors.Join(append(errs, os.RemoveAll(m.dir))...)
}
