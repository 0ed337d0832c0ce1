package node

import (
	"context"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"

	"fairlead/adns"
	"fairlead/adns/transfer"
)

// secondaryDir is where zones that came from primaries are kept, in the data directory.
const secondaryDir = "secondary"

// exchangers move zones between this node and other DNS servers.
type exchangers struct {
	keys      *transfer.Keys
	out       *transfer.Transfers
	secondary *transfer.Secondary

	mu     sync.Mutex
	newest *intent       // that is served and was not handed over yet; nil: none
	wake   chan struct{} // capacity 1

	arrivals arrivals
}

// newExchangers reads the keys and makes both directions. Nothing listens or runs yet.
func (n *Node) newExchangers() error {
	c := n.opts.Config
	keys, err := transfer.LoadKeys(c.DNS.TSIGKeys)
	if err != nil {
		return err
	}
	dir := ""
	if n.opts.Source == nil {
		dir = filepath.Join(c.DataDir, secondaryDir)
	}
	n.zones.keys, n.zones.wake = keys, make(chan struct{}, 1)
	n.zones.out = transfer.New(transfer.Options{Keys: keys, Logger: n.log})
	n.zones.secondary = transfer.NewSecondary(transfer.SecondaryOptions{Keys: keys, Publish: n.zoneArrived, Dir: dir, Logger: n.log})
	return nil
}

// served tells that an intent is what answers are made from.
func (e *exchangers) served(in *intent) {
	e.mu.Lock()
	e.newest = in
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// run tells both directions what is served, and lets them work, until ctx ends. Comparing zones takes time, so it is not
// done where intents are adopted.
func (e *exchangers) run(ctx context.Context) error {
	var group errgroup.Group
	e.arrivals.ending = ctx.Done()
	group.Go(func() error { return e.out.Run(ctx) })
	group.Go(func() error { return e.secondary.Run(ctx) })
	for {
		e.mu.Lock()
		in := e.newest
		e.newest = nil
		e.mu.Unlock()
		if in != nil {
			e.secondary.Adopt(in.document)
			e.out.Published(in.document, adns.TransferSource(in.zones, in.document))
		}
		select {
		case <-ctx.Done():
			return group.Wait()
		case <-e.wake:
		}
	}
}
