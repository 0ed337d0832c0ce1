package node

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/mep"
	"fairlead/sites"
)

// exchanges reports whether the node file has this node exchange metrics with other sites.
func (n *Node) exchanges() bool {
	c := &n.opts.Config.MEP
	return c.Listen != "" || n.opts.Identity != nil || c.TLS.Cert != "" || c.Insecure
}

// newExchange makes the exchange with other sites; nil when the node file wants none.
func (n *Node) newExchange(in *intent) (*mep.Exchange, error) {
	c := &n.opts.Config.MEP
	if !n.exchanges() {
		if slices.ContainsFunc(in.document.Sites, func(s config.Site) bool { return !s.Foreign && s.Name != n.opts.Config.Site }) {
			n.log.Warn("mep.off", zap.String("why", "the node file has no mep section: other sites are seen by monitors only"))
		}
		return nil, nil
	}
	identity := n.opts.Identity
	if identity == nil && !c.Insecure {
		var err error
		if identity, err = mep.LoadIdentity(c.TLS.Cert, c.TLS.Key, c.TLS.CA); err != nil {
			return nil, err
		}
	}
	m := &in.document.Settings.MEP
	return mep.New(mep.Options{
		Site: n.opts.Config.Site, Node: n.opts.Config.DNS.NSID, Listen: c.Listen, TLS: identity, Insecure: c.Insecure,
		ListenFunc: n.opts.MEPListen, DialFunc: n.opts.MEPDial,
		MetricsInterval: m.MetricsInterval.Std(), KeepaliveTimeout: m.KeepaliveTimeout.Std(),
		Digest: n.digest, Services: n.records, Views: n.views, Overrides: n.orders.records, Receive: n.receive, Answer: n.answerSite, Probe: n.publisher.probeForSite, Logger: n.log,
	})
}

// peers, rejections and endings are what is shown of the exchange; nothing without one.
func (n *Node) peers() []mep.PeerStatus {
	if n.exchange == nil {
		return nil
	}
	return n.exchange.Peers()
}

func (n *Node) rejections() map[mep.Rejection]uint64 {
	if n.exchange == nil {
		return nil
	}
	return n.exchange.Rejections()
}

func (n *Node) endings() map[mep.Ending]uint64 {
	if n.exchange == nil {
		return nil
	}
	return n.exchange.Endings()
}

// receive takes in what the exchange tells. No belief follows from sessions of clients, measurements of resolvers and digests of
// answers: they go elsewhere.
func (n *Node) receive(e mep.Event) {
	if n.hearDocuments(e) || n.sharing.peer(e) {
		return
	}
	switch e := e.(type) {
	case *mep.NetworkReport:
		n.resolvers.hear(e)
		return
	case *mep.DecisionsReport:
		n.agreement.Heard(e)
		return
	case *mep.ServicesReport:
		n.hearMembers(e)
	case *mep.SessionDown:
		n.resolvers.meet(e)
		n.agreement.Lost(e.Peer)
	case *mep.SessionUp:
		n.resolvers.meet(e)
		n.agreement.Met(e.Peer)
	}
	n.announced.hear(e)
}

// believe hands an event of the exchange to the publisher.
func (n *Node) believe(e mep.Event) { n.publisher.peer(e) }

// records is what this site tells others.
func (n *Node) records() []mep.ServiceRecord {
	return sites.Records(n.snapshot().GSLB, n.opts.Config.Site, time.Now())
}

// digest identifies the document to other sites: the digits of its id.
func (n *Node) digest() (d [32]byte) {
	copy(d[:], n.state.Load().DocumentID)
	return d
}
