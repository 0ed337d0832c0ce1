package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/internal/node"
	"fairlead/internal/pki"
	"fairlead/mep"
)

// startLimit is how long all sites may take until they hear each other.
const startLimit = 30 * time.Second

// mesh is the nodes of all sites.
type mesh struct {
	plan  plan
	dir   string
	sites []*site
}

// site is one node.
type site struct {
	name     string
	data     string
	exchange net.Listener // where it is heard
	node     *node.Node
	stop     context.CancelFunc
	done     chan error
	api, dns string
}

// newMesh makes all sites, of a document with sites only, and waits until they hear each other.
func newMesh(ctx context.Context, p plan) (*mesh, error) {
	dir, err := os.MkdirTemp("", "documents")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	m := &mesh{plan: p, dir: dir}
	for i := range p.sites {
		s := &site{name: fmt.Sprintf("s%d", i)}
		s.data = filepath.Join(dir, s.name)
		m.sites = append(m.sites, s)
		if s.exchange, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, errors.Join(err, m.close())
		}
	}
	err = os.WriteFile(m.seed(), m.document(0, 0), 0o600)
	var authority *pki.Authority
	if err == nil {
		authority, err = pki.NewAuthority(pki.Options{})
	}
	for _, s := range m.sites {
		if err == nil {
			err = m.start(ctx, s, authority)
		}
	}
	if err == nil {
		err = m.connected(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *mesh) seed() string { return filepath.Join(m.dir, "seed.yaml") }

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
	c := &config.Node{Site: s.name, DataDir: s.data, Config: config.NodeConfig{Seed: m.seed()}, API: config.NodeAPI{Listen: "127.0.0.1:0"},
		DNS: config.NodeDNS{Listen: []string{"127.0.0.1:0"}, Workers: 1}, MEP: config.NodeMEP{Listen: s.exchange.Addr().String()}}
	n, err := node.New(node.Options{Config: c, Identity: identity,
		MEPListen: func(context.Context, string, string) (net.Listener, error) { return s.exchange, nil }})
	if err != nil {
		return fmt.Errorf("site %q: %w", s.name, err)
	}
	if err := n.Listen(ctx); err != nil {
		return fmt.Errorf("site %q: %w", s.name, errors.Join(err, n.Close()))
	}
	run, stop := context.WithCancel(ctx)
	s.node, s.stop, s.done = n, stop, make(chan error, 1)
	s.dns, s.api = n.DNSAddrs()[0].String(), "http://"+n.APIAddr().String()
	go func() { s.done <- n.Run(run) }()
	return nil
}

// connected waits until every site hears every other.
func (m *mesh) connected(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return m.until(limited, m.sites, func(s *site) bool {
		var sync struct{ Peers []struct{ Connected bool } }
		if err := s.read(limited, "/v1/sync", &sync); err != nil || len(sync.Peers) < len(m.sites)-1 {
			return false
		}
		for _, p := range sync.Peers {
			if !p.Connected {
				return false
			}
		}
		return true
	})
}

// until waits until something is so at all of some sites.
func (m *mesh) until(ctx context.Context, at []*site, so func(*site) bool) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for _, s := range at {
		for !so(s) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("wait for site %q: %w", s.name, ctx.Err())
			}
		}
	}
	return nil
}

// others is all sites but one.
func (m *mesh) others(than *site) []*site {
	var out []*site
	for _, s := range m.sites {
		if s != than {
			out = append(out, s)
		}
	}
	return out
}

// document has services at all sites, two to a name: the second is answered while the first is not UP. No monitor looks at them, as probes
// would cost more than what is measured. What round says is part of every third service.
func (m *mesh) document(services, round int) []byte {
	var b strings.Builder
	b.WriteString("zones: [{name: example.test, nameservers: [ns.example.test], ttl: 5s, records: \"ns 60 A 127.0.0.1\"}]\nsites:\n")
	for _, s := range m.sites {
		fmt.Fprintf(&b, "  - {name: %s, address: %q}\n", s.name, s.exchange.Addr())
	}
	if services > 0 {
		b.WriteString("services:\n")
	}
	for i := range services {
		weight := 1
		if i%3 == 0 {
			weight += round
		}
		fmt.Fprintf(&b, "  - name: %s\n    site: s%d\n    addresses: [203.0.%d.%d, \"2001:db8::%x\"]\n    port: 443\n    capacity: %d\n    labels: {team: web}\n",
			service(i), i%len(m.sites), i/250%250, i%250+1, i+1, 1000*weight)
	}
	if services > 1 {
		b.WriteString("virtual_servers:\n")
	}
	for i := range services / 2 {
		fmt.Fprintf(&b, "  - name: %s\n    domains: [{name: %s, ttl: 5s}]\n    method: round-robin\n    members: [{service: %s, order: 1}, {service: %s, order: 2}]\n",
			server(i), name(i), service(2*i), service(2*i+1))
	}
	return []byte(b.String())
}

func service(i int) string { return fmt.Sprintf("service%05d", i) }
func name(i int) string    { return fmt.Sprintf("web%05d.example.test", i) }

// kept is how much a site has on disk.
func (s *site) kept() (octets float64) {
	_ = filepath.WalkDir(s.data, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			octets += float64(info.Size())
		}
		return nil
	})
	return octets
}

// close stops everything.
func (m *mesh) close() error {
	var errs []error
	for _, s := range m.sites {
		if s.stop != nil {
			s.stop() // all at once, as each takes a moment
		}
	}
	for _, s := range m.sites {
		if s.stop != nil {
			errs = append(errs, <-s.done)
		}
		if s.exchange != nil {
			_ = s.exchange.Close()
		}
	}
	return errors.Join(append(errs, os.RemoveAll(m.dir))...)
}
