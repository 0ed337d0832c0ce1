package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"fairlead/adns"
	"fairlead/api"
	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/store"
	"fairlead/mep"
	"fairlead/monitors"
	"fairlead/monitors/schedule"
	"fairlead/sites"
	"fairlead/sites/agree"
)

// Options say what a Node is made of. Config is required; the rest has defaults or is a seam.
type Options struct {
	Config *config.Node
	// File is where Config was read; a backup of this node has it. Empty: not known.
	File string
	// Source is the GSLB document itself. nil: what Config.Config says, kept in Config.DataDir.
	Source *config.Source
	// Identity proves this site to others. nil: the files of Config.MEP.TLS.
	Identity *mep.Identity
	// MEPDial, MEPListen and ProbeDial replace the network. nil: TCP.
	MEPDial   func(ctx context.Context, network, address string) (net.Conn, error)
	MEPListen func(ctx context.Context, network, address string) (net.Listener, error)
	ProbeDial func(ctx context.Context, network, address string) (net.Conn, error)
	// LDNSPort is where resolvers are asked over UDP and TCP to measure them. 0: 53.
	LDNSPort uint16
	// Transition is told when the belief about a service changes, PeerEvent what happens in the exchange; both from the
	// publisher, which waits. nil: nobody.
	Transition func(sites.Transition)
	PeerEvent  func(mep.Event)
	// Drain is how long Run goes on answering after its context has ended.
	Drain   time.Duration
	Version string
	Logger  *zap.Logger
}

// Node is one site's process: its DNS server, monitors, exchange and API. Listen, then Run, each once.
type Node struct {
	opts  Options
	log   *zap.Logger
	store *store.Store

	temporary string    // directory of store, when the document came with Options; it goes with the node
	documents documents // intent: what is written, and by whom
	followed  followed
	mesh      *replica.Engine // the same when sites exchange it; nil: it is in etcd

	dns       *answering
	observers adns.Observers
	headroom  *headroom
	zones     exchangers
	exchange  *mep.Exchange    // nil: this node keeps to itself
	sharing   *sharing         // of sessions; nil: as well
	agreement *agree.Agreement // with others about answers; nil: as well
	autoscale *autoscale
	announced *announced
	geo       *geo
	probes    *monitors.Scheduler
	loads     *monitors.Loads
	reach     *reach // of both
	resolvers *resolverWatch
	handler   http.Handler
	door      *door
	apiSocket net.Listener

	events    *api.Events
	publisher *publisher
	keeper    *keeper
	orders    *orders
	sight     atomic.Pointer[sight]
	state     atomic.Pointer[api.State]
	reloadErr atomic.Pointer[string] // why the last reload was refused; nil: it was not
	leaving   atomic.Bool

	reloading sync.Mutex                // one document at a time is handed to the publisher
	newest    *intent                   // that is served, or was handed over after it
	beside    uint64                    // grows when newest changes by something else than a document
	gathering atomic.Pointer[gathering] // newest is not served yet: it waits for its groups; nil: it does not
	gather    chan struct{}             // capacity 1
}

// New reads the document, compiles it and builds the rooms. Nothing listens or runs yet. An error lists every problem of
// the document.
func New(o Options) (*Node, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Transition == nil {
		o.Transition = func(sites.Transition) {}
	}
	if o.PeerEvent == nil {
		o.PeerEvent = func(mep.Event) {}
	}
	n := &Node{opts: o, log: o.Logger, events: api.NewEvents(), gather: make(chan struct{}, 1)}
	n.autoscale = newAutoscale(n.log, n.replan)
	n.announced = newAnnounced(n.log, n.replan, n.believe)
	n.autoscale.announced = n.announced
	if o.Source == nil {
		n.autoscale.restore(filepath.Join(o.Config.DataDir, groupsFile))
		n.announced.restore(filepath.Join(o.Config.DataDir, announcedFile))
	}
	n.geo = newGeo(&o.Config.GeoIP, n.log, n.replan)
	if err := n.newExchangers(); err != nil {
		return nil, err
	}
	if err := n.openDocuments(context.Background()); err != nil {
		return nil, err
	}
	if err := n.build(n.newest); err != nil {
		return nil, errors.Join(err, n.closeStore())
	}
	n.noteUnreadSeed()
	return n, nil
}

// build makes the rooms for the first document.
func (n *Node) build(in *intent) error {
	c := n.opts.Config
	seed := xxhash.Sum64String(c.Site)
	n.orders = newOrders(n)
	n.publisher, n.keeper = newPublisher(n), newKeeper(n)
	n.reach = newReach(&n.opts, n.log)
	shared, prober := schedule.New(), n.reach.prober()
	n.probes = monitors.New(monitors.Options{Schedule: shared, Prober: prober, Verdict: n.publisher.verdict, Busy: n.publisher.busy, Logger: n.log, Seed: seed})
	n.loads = monitors.NewLoads(monitors.LoadOptions{Schedule: shared, Reader: n.reach.reader(), Load: n.publisher.load, Logger: n.log, Seed: seed})
	var err error
	if n.exchange, err = n.newExchange(in); err != nil {
		return err
	}
	if n.exchange != nil {
		n.sharing, n.agreement = newSharing(n), newAgreement(n)
	}
	n.resolvers = newResolverWatch(n)
	if n.observers, err = newObservers(c, n.opts.Version, n.log); err != nil {
		return err
	}
	policy, err := dnsPolicy(&c.DNS)
	if err != nil {
		return err
	}
	server := adns.Options{Transfers: n.zones.out, Keys: n.zones.keys, Notify: adns.NotifySecondary(n.zones.secondary), Policy: policy, PassiveRTT: n.resolvers.passive, Vouchers: n.resolvers.vouchers, Observers: n.observers, Listen: c.DNS.Listen, Workers: c.DNS.Workers, IO: c.DNS.IO, NSID: c.DNS.NSID, Snapshot: n.snapshot, Logger: n.log}
	if err := addStreams(&server, &c.DNS, n.log); err != nil {
		return err
	}
	if n.dns, err = newAnswering(server, c.Site, in.answers(c.Site), n.log); err != nil {
		return err
	}
	n.headroom = newHeadroom(n.State, n.observers.Sketch)
	n.publisher.adopt(in, time.Now())
	told := api.Options{
		Site: c.Site, Version: n.opts.Version, State: n.State, Peers: n.peers, MEPRejections: n.rejections, MEPEndings: n.endings, SharedSessions: n.sharedSessions, Agreements: n.agreements,
		DNSStats: n.dns.Stats, TransferStats: n.zones.out.Stats, Secondaries: n.zones.secondary.Status, Groups: n.groups, Geo: n.geo.status,
		Sketch: n.observers.Sketch.View, SketchSize: n.headroom.sketchSize, Peak: n.headroom.history, Headroom: n.headroom.list,
		Overrides: n.orders.Overrides, AskSite: n.askSite(),
		ResolverCounts: n.resolvers.Counts, TakeResolvers: n.resolvers.Take, ReportRTT: n.resolvers.Report,
		Documents: n.documents, TagKey: n.store.Key("tags"), Backup: n.backup, Restore: n.restore, Events: n.events, Ready: n.ready, Logger: n.log,
		Gathering: n.gatheringNow,
	}
	if n.documents != nil {
		told.DocumentCounts = n.documentCounts
	}
	n.tellMonitors(&told, prober)
	if n.door, err = newDoor(&c.API, n.keeps(), n.log); err != nil {
		return err
	}
	if err = n.noteStart(); err != nil {
		return err
	}
	n.door.tell(&told)
	n.handler, err = api.New(told)
	return err
}

// keeps is the data directory; empty for a node whose document came with Options, which keeps nothing.
func (n *Node) keeps() string {
	if n.opts.Source != nil {
		return ""
	}
	return n.opts.Config.DataDir
}

// Listen binds all sockets, so that their addresses are known before Run. If one cannot be bound, none stays.
func (n *Node) Listen(ctx context.Context) error {
	if err := n.dns.Listen(ctx); err != nil {
		return err
	}
	if n.exchange != nil {
		if err := n.exchange.Listen(ctx); err != nil {
			return errors.Join(bindAdvice("mep.listen", err), n.dns.Close())
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", n.opts.Config.API.Listen)
	if err != nil {
		err = bindAdvice("api.listen", fmt.Errorf("listen for the API on %q: %w", n.opts.Config.API.Listen, err))
		if n.exchange != nil {
			err = errors.Join(err, n.exchange.Close())
		}
		return errors.Join(err, n.dns.Close())
	}
	n.apiSocket = l
	n.reach.bound(l.Addr(), n.MEPAddr())
	return nil
}

// bindAdvice adds to the error of an address of the node file what to do about it.
func bindAdvice(key string, err error) error {
	advice := "correct " + key + " of the node file"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "another program has this port: stop it, or change " + key + " of the node file"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "this machine does not have the address: correct " + key + " of the node file, or add the address to an interface"
	case errors.Is(err, fs.ErrPermission):
		advice = "ports below 1024 need a privilege: run as root, or give the binary CAP_NET_BIND_SERVICE"
	}
	return fmt.Errorf("%w; %s", err, advice)
}

// Close releases what New and Listen took, for a Node that will not Run.
func (n *Node) Close() error {
	err := errors.Join(n.dns.Close(), n.door.close(), n.closeStore())
	if n.exchange != nil {
		err = errors.Join(err, n.exchange.Close())
	}
	if n.apiSocket != nil {
		err = errors.Join(err, n.apiSocket.Close())
	}
	return err
}

// Run serves until ctx ends. It then tells the other sites that this one leaves, goes on answering for Options.Drain, and
// returns nil when everything has ended. It fails when a room cannot go on.
func (n *Node) Run(ctx context.Context) error {
	if n.apiSocket == nil {
		if err := n.Listen(ctx); err != nil {
			return err
		}
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	n.meetGroups(ctx)
	n.meetGeo(ctx)
	group, running := errgroup.WithContext(serving)
	group.Go(func() error { return n.publisher.run(running) })
	group.Go(func() error { return n.keeper.run(running) })
	group.Go(func() error { return n.orders.run(running) })
	group.Go(func() error { return n.probes.Run(running) })
	group.Go(func() error { return n.loads.Run(running) })
	group.Go(func() error { return n.resolvers.run(running) })
	group.Go(func() error { return n.serveDNS(running) })
	group.Go(func() error { return n.headroom.run(running) })
	group.Go(func() error { return n.zones.run(running) })
	group.Go(func() error { return n.autoscale.run(running) })
	group.Go(func() error { return n.announced.run(running) })
	group.Go(func() error { return n.gatherGroups(running) })
	group.Go(func() error { return n.geo.run(running) })
	group.Go(func() error { return n.documents.Run(running) })
	group.Go(func() error { return n.store.Run(running) })
	group.Go(func() error { return n.watchFollowed(running) })
	group.Go(func() error { return n.door.run(running) })
	group.Go(func() error { return n.serveAPI(running) })
	if n.exchange != nil {
		group.Go(func() error { return n.exchange.Run(running) })
		group.Go(func() error { return n.sharing.run(running) })
		group.Go(func() error { return n.agreement.Run(running) })
	}
	n.log.Info("node.serving", zap.String("site", n.opts.Config.Site), zap.Stringers("dns", n.DNSAddrs()), zap.Stringer("api", n.APIAddr()))
	select {
	case <-running.Done():
	case <-ctx.Done():
		n.leave(running)
	}
	stop()
	err := group.Wait()
	n.keeper.save(time.Now())
	n.orders.flush()
	return errors.Join(err, n.door.close(), n.closeStore())
}

// leave announces the stop and keeps answering, by the belief of this moment, while resolvers' retries go elsewhere.
func (n *Node) leave(ctx context.Context) {
	n.leaving.Store(true)
	n.log.Info("node.leaving", zap.Duration("drain", n.opts.Drain))
	drained := time.NewTimer(n.opts.Drain)
	defer drained.Stop()
	if n.exchange != nil {
		n.exchange.Leave(ctx)
	}
	select {
	case <-drained.C:
	case <-ctx.Done():
	}
}

func (n *Node) serveAPI(ctx context.Context) error {
	server := api.Server(n.handler)
	stopped := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		if server.Shutdown(grace) != nil {
			_ = server.Close() // the requests that are left had their second
		}
	})
	err := n.door.serve(server, n.apiSocket)
	if !cancel() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the API: %w", err)
}

func (n *Node) closeStore() (err error) {
	if c, is := n.documents.(io.Closer); is {
		err = c.Close()
	}
	if n.store != nil {
		err = errors.Join(err, n.store.Close())
	}
	if n.temporary != "" {
		err = errors.Join(err, os.RemoveAll(n.temporary))
	}
	return err
}

// DNSAddrs returns the addresses served over UDP and TCP, in the order of the node file.
func (n *Node) DNSAddrs() []netip.AddrPort { return n.dns.Addrs() }

// APIAddr returns the address of the API, or nil before Listen.
func (n *Node) APIAddr() net.Addr {
	if n.apiSocket == nil {
		return nil
	}
	return n.apiSocket.Addr()
}

// MEPAddr returns the address that other sites are accepted on; nil when there is none.
func (n *Node) MEPAddr() net.Addr {
	if n.exchange == nil {
		return nil
	}
	return n.exchange.Addr()
}

// State returns what is served and shown at this moment: one atomic load. It is never nil.
func (n *Node) State() *api.State { return n.state.Load() }

func (n *Node) snapshot() *adns.Snapshot { return n.state.Load().Snapshot }

// ready says whether this node can answer. Other sites being unreachable does not make it unready.
func (n *Node) ready() []api.Check {
	st := n.state.Load()
	zones := api.Check{Name: "document", OK: st.Snapshot != nil, Detail: "in use since " + st.Since.UTC().Format(time.RFC3339)}
	if why, nothing := n.notServed(); why != "" {
		zones.Detail += "; " + why // answers are given all the same
		zones.OK = zones.OK && !nothing
	}
	if waits := n.gatheringNow().String(); waits != "" {
		zones.Detail += "; " + waits
	}
	wanted, addrs := n.dns.answers()
	sockets := api.Check{Name: "dns", OK: len(addrs) > 0, Detail: fmt.Sprint(addrs)}
	if !wanted {
		sockets.OK, sockets.Detail = true, "this site does not answer DNS"
	}
	leaving := api.Check{Name: "serving", OK: !n.leaving.Load(), Detail: "not leaving"}
	if !leaving.OK {
		leaving.Detail = "leaving"
	}
	return []api.Check{zones, sockets, leaving, n.writable()}
}
