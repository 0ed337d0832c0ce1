package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"fairlead/config"
	"fairlead/internal/node"
	"fairlead/internal/pki"
	"fairlead/mep"
)

// buildTries is how often a world is built when another program takes a port between its choice and its use.
const buildTries = 5

// certificateValidity is more than a demo lasts.
const certificateValidity = 30 * 24 * time.Hour

// world is the two sites, their web servers and the link between the sites. All sockets are bound when it exists.
type world struct {
	sites    []*site // ams, nyc
	servers  []*webServer
	document *config.Document
	link     *link
	// shared says that the web servers' addresses do not exist on this system: see webListeners.
	shared bool
	tell   func(event)
}

// worldOptions is what a world is made of.
type worldOptions struct {
	Ports  ports
	Tell   func(event) // what happens; must not wait
	Logger *zap.Logger // of the nodes
	// Servers are the web servers, not bound yet. nil: newServers.
	Servers func() []*webServer
}

// newWorld binds all sockets and builds both nodes. Nothing runs yet.
func newWorld(ctx context.Context, o worldOptions) (*world, error) {
	for try := 1; ; try++ {
		w := &world{link: newLink(), tell: o.Tell}
		err := w.build(ctx, o)
		if err == nil {
			return w, nil
		}
		err = errors.Join(err, w.close())
		if try == buildTries || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("build two sites: %w", err)
		}
	}
}

func (w *world) build(ctx context.Context, o worldOptions) error {
	if err := w.bindServers(ctx, o); err != nil {
		return err
	}
	nodes, err := w.choosePorts(ctx, o.Ports)
	if err != nil {
		return err
	}
	facts := documentFacts{MEP: map[string]string{}, Services: w.servers}
	for _, n := range nodes {
		facts.MEP[n.Site] = n.MEP.Listen
	}
	src, doc, err := makeDocument(facts)
	if err != nil {
		return err
	}
	w.document = doc
	authority, err := pki.NewAuthority(pki.Options{Validity: certificateValidity})
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := w.addSite(ctx, n, src, authority, o.Logger); err != nil {
			return err
		}
	}
	return nil
}

// bindServers gives every web server its listener.
func (w *world) bindServers(ctx context.Context, o worldOptions) error {
	if o.Servers == nil {
		o.Servers = newServers
	}
	servers := o.Servers()
	addrs := make([]netip.Addr, len(servers))
	for i, s := range servers {
		addrs[i] = s.Address.Addr()
	}
	listeners, port, shared, err := webListeners(ctx, addrs, o.Ports)
	if err != nil {
		return err
	}
	for i, s := range servers {
		s.listener, s.Address = listeners[i], netip.AddrPortFrom(s.Address.Addr(), port)
	}
	w.servers, w.shared = servers, shared
	return nil
}

// choosePorts writes the node files' content: the smallest free ports, ams's below nyc's.
func (w *world) choosePorts(ctx context.Context, p ports) ([]*config.Node, error) {
	kinds := []struct {
		first uint16
		set   func(n *config.Node, address string)
	}{
		{firstDNSPort, func(n *config.Node, a string) { n.DNS.Listen = []string{a} }},
		{firstMEPPort, func(n *config.Node, a string) { n.MEP.Listen = a }},
		{firstAPIPort, func(n *config.Node, a string) { n.API.Listen = a }},
	}
	nodes := []*config.Node{{Site: siteAms}, {Site: siteNyc}}
	for _, n := range nodes {
		n.DNS.NSID = n.Site + "-demo"
	}
	taken := map[uint16]bool{}
	for _, k := range kinds {
		next := k.first
		for _, n := range nodes {
			port, err := p.next(ctx, next)
			for tries := 0; err == nil && taken[port] && tries < portTries; tries++ {
				port, err = p.next(ctx, port+1)
			}
			if err != nil {
				return nil, err
			}
			taken[port] = true
			k.set(n, netip.AddrPortFrom(loopback, port).String())
			next = port + 1
		}
	}
	return nodes, nil
}

// addSite makes a node and binds its sockets.
func (w *world) addSite(ctx context.Context, n *config.Node, src config.Source, authority *pki.Authority, log *zap.Logger) error {
	pair, err := authority.Issue(n.Site, pki.Options{Validity: certificateValidity})
	if err != nil {
		return err
	}
	identity, err := mep.NewIdentity(pair.Cert, pair.Key, authority.Cert())
	if err != nil {
		return err
	}
	s := &site{
		Name: n.Site, DNS: n.DNS.Listen[0], API: n.API.Listen, MEP: n.MEP.Listen,
		stopped: make(chan struct{}), tell: w.tell, about: w.document,
	}
	if log != nil {
		log = log.With(zap.String("at", n.Site))
	}
	s.node, err = node.New(node.Options{
		Config: n, Source: &src, Identity: identity, Version: "demo", Logger: log,
		MEPDial: w.link.Dial, MEPListen: w.link.Listen, ProbeDial: w.dial,
		Transition: s.transition, PeerEvent: s.peer,
	})
	if err != nil {
		return fmt.Errorf("make site %q: %w", n.Site, err)
	}
	if err := s.node.Listen(ctx); err != nil {
		return fmt.Errorf("start site %q: %w", n.Site, errors.Join(err, s.node.Close()))
	}
	w.sites = append(w.sites, s)
	return nil
}

// dial reaches web servers by their own addresses, wherever they listen.
func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if w.shared {
		for _, s := range w.servers {
			if s.Address.String() == address {
				address = s.listener.Addr().String()
			}
		}
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// run runs everything until ctx ends, and returns when all of it has ended. It is called once.
func (w *world) run(ctx context.Context) error {
	defer w.link.Join() // releases what a cut holds
	// The web servers outlive the sites: a site that stops must not see them fail first.
	serving, stopServers := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServers()
	servers, broken := errgroup.WithContext(serving)
	for _, s := range w.servers {
		servers.Go(func() error { return s.Run(broken) })
	}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		select {
		case <-broken.Done():
			return context.Cause(broken)
		case <-running.Done():
			return nil
		}
	})
	for _, s := range w.sites {
		own, stop := context.WithCancel(running)
		s.mu.Lock()
		s.stop = stop
		s.mu.Unlock()
		group.Go(func() error { return s.run(own) })
		group.Go(func() error { pushLoads(own, s.API, w.pushing(s.Name)); return nil })
	}
	err := group.Wait()
	stopServers()
	return errors.Join(err, servers.Wait())
}

// close releases the sockets of a world that will not run.
func (w *world) close() error {
	var errs []error
	for _, s := range w.sites {
		errs = append(errs, s.node.Close())
	}
	for _, s := range w.servers {
		errs = append(errs, s.listener.Close())
	}
	return errors.Join(errs...)
}

// settled says that both sites believe every service UP and hear each other.
func (w *world) settled() bool {
	for _, s := range w.sites {
		if b := s.believed(); !b.Session || b.up(w.document, "") != len(w.servers) {
			return false
		}
	}
	return true
}

// pushing returns the web servers of a site whose load is pushed.
func (w *world) pushing(owner string) []*webServer {
	return slices.DeleteFunc(slices.Clone(w.servers), func(s *webServer) bool { return s.Site != owner || !s.Pushed })
}

// server returns the web server of a name, or nil.
func (w *world) server(name string) *webServer {
	if i := slices.IndexFunc(w.servers, func(s *webServer) bool { return s.Name == name }); i >= 0 {
		return w.servers[i]
	}
	return nil
}

// serverAt returns the name of the web server with an address, or the address itself.
func (w *world) serverAt(address string) string {
	for _, s := range w.servers {
		if s.Address.Addr().String() == address {
			return s.Name
		}
	}
	return address
}

// Fail, Heal, Cut and Join are what a story does to the world.

func (w *world) Fail(service string) { w.server(service).Fail() }
func (w *world) Heal(service string) { w.server(service).Heal() }
func (w *world) Cut()                { w.link.Cut() }
func (w *world) Join()               { w.link.Join() }
