package node

import (
	"cmp"
	"context"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"fairlead/adns"
	"fairlead/adns/dnstap"
	"fairlead/adns/querylog"
	"fairlead/adns/sketch"
	"fairlead/config"
)

// newObservers makes what the node file wants queries shown to, and the sketch of what is asked.
func newObservers(c *config.Node, version string, log *zap.Logger) (o adns.Observers, err error) {
	o.Sketch = sketch.New(sketch.Options{})
	if tap := c.DNS.Dnstap; tap != nil {
		o.Dnstap, err = dnstap.New(dnstap.Options{
			Socket: tap.Socket, TCP: tap.TCP, File: tap.File,
			Queries: tap.Wants(config.DnstapQuery), Responses: tap.Wants(config.DnstapResponse),
			Identity: cmp.Or(tap.Identity, c.DNS.NSID, c.Site), Version: "fairlead " + version, Queue: tap.Queue, Logger: log,
		})
		if err != nil {
			return adns.Observers{}, err
		}
	}
	if l := c.DNS.QueryLog; l.Sample > 0 {
		o.QueryLog, err = querylog.New(querylog.Options{
			Sample: l.Sample, File: l.File, MaxPerSecond: l.MaxPerSecond, FullAddresses: l.FullAddresses, Logger: log,
		})
	}
	return o, err
}

// serveDNS answers queries, and shows them to the observers until the last one was answered.
func (n *Node) serveDNS(ctx context.Context) error {
	observing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group errgroup.Group
	if tap := n.observers.Dnstap; tap != nil {
		group.Go(func() error { return tap.Run(observing) })
	}
	if log := n.observers.QueryLog; log != nil {
		group.Go(func() error { return log.Run(observing) })
	}
	group.Go(func() error { return n.observers.Sketch.Run(observing) })
	group.Go(func() error {
		defer stop()
		return n.dns.Run(ctx)
	})
	return group.Wait()
}

// reopenLogs lets files that queries are written to be taken away.
func (n *Node) reopenLogs() {
	if tap := n.observers.Dnstap; tap != nil {
		tap.Reopen()
	}
	if log := n.observers.QueryLog; log != nil {
		log.Reopen()
	}
}
