package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/gslb"
)

// plan compiles a document whose groups are expanded, with what this node knows beside it. It takes over what before has; nil: nothing.
func (n *Node) plan(doc *config.Document, before *intent) (*gslb.Plan, error) {
	options := gslb.CompileOptions{Geo: n.geo.table.Load()}
	if before != nil {
		options.Before = before.plan
	}
	return gslb.Compile(doc, options)
}

// replan compiles the document in use again, because something that its plan is made of besides the text has changed, and
// hands it to the publisher. The document stays the one that it is. When it cannot be compiled, what is served stays.
func (n *Node) replan() {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	in, err := n.replanned(n.newest)
	if err != nil {
		n.log.Error("config.replan", zap.Error(err), zap.String("then", "what is served stays"))
		return
	}
	n.newest, n.beside = in, n.beside+1
	n.serveLater(in)
}

// replanned is an intent with what its plan is made of as it is now. Zones are compiled anew for balanced names only.
func (n *Node) replanned(in *intent) (*intent, error) {
	next := *in
	next.document, next.octets = n.autoscale.expanded(in.written), 0 // nothing was read
	var err error
	if next.plan, err = n.plan(next.document, n.newest); err != nil {
		return nil, err
	}
	if next.zones, err = in.zones.Replace(next.document, next.plan, nil, n.zones.secondary.Records); err != nil {
		return nil, fmt.Errorf("compile the zones of document %.8s: %w", in.id, err)
	}
	return &next, nil
}

// withGroups makes the groups of an intent the ones that are followed, and waits for what new ones resolve to, but not
// long.
func (n *Node) withGroups(ctx context.Context, in *intent) *intent {
	n.followGroups(in)
	n.autoscale.first(ctx)
	return n.regrouped(in)
}

// followGroups makes the groups of an intent the ones that are followed.
func (n *Node) followGroups(in *intent) {
	n.autoscale.adopt(in.written)
	n.announced.adopt(in.written)
}

// regrouped is an intent with its groups as they are now.
func (n *Node) regrouped(in *intent) *intent {
	if slices.EqualFunc(n.autoscale.expanded(in.written).Services, in.document.Services, sameService) {
		return in
	}
	next, err := n.replanned(in)
	if err != nil {
		n.log.Error("config.replan", zap.Error(err), zap.String("then", "groups stay as they were"))
		return in
	}
	return next
}

// meetGroups is withGroups for the document that a start found, before anything is answered.
func (n *Node) meetGroups(ctx context.Context) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	if in := n.withGroups(ctx, n.newest); in != n.newest {
		n.newest, n.beside = in, n.beside+1
		n.publisher.adopt(in, time.Now())
	}
}

// sameService reports whether two services that come from the same text are the same.
func sameService(a, b config.Service) bool { return a.Name == b.Name && a.State == b.State }
