package node

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"fairlead/adns"
	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/gslb"
)

// intent is a document ready to be served: assembled, validated and compiled. It exists only when all of that succeeded, so
// a document that is refused changes nothing.
type intent struct {
	from     string // the file or directory it came from
	id       string // hash of its objects
	revision string
	written  *config.Document // as it was assembled
	document *config.Document // the same with its groups expanded: what everything else is made from
	plan     *gslb.Plan
	zones    *adns.Zones
	since    time.Time
	objects  *config.Objects
	octets   int    // of objects that were read for it
	beside   uint64 // what Node.beside was before it was compiled

	warnings, inert []config.Problem
}

// Warnings are what is doubtful in it, Inert is what of it has no effect.
func (in *intent) Warnings() []config.Problem { return in.warnings }
func (in *intent) Inert() []config.Problem    { return in.inert }

// answers reports whether a site answers DNS.
func (in *intent) answers(site string) bool {
	s := in.document.Site(site)
	return s == nil || s.Answers()
}

// knowsAll reports whether a site is told of, or probes, all services. One that does not must not say for all sites that a virtual
// server has lost its last member.
func (in *intent) knowsAll(site string) bool {
	s := in.document.Site(site)
	return s == nil || s.Parent == "" && s.Answers()
}

// compiler makes intents for the engine of documents, and has them served.
type compiler struct{ *Node }

// Compile makes an intent; see replica.Compiler.
func (c compiler) Compile(_ context.Context, objects *config.Objects, lenient bool) (replica.Candidate, error) {
	n := c.Node
	doc, report := config.Assemble(objects, config.AssembleOptions{Lenient: lenient})
	in := &intent{from: n.documentFrom(), id: objects.ID(), written: doc, since: time.Now(), objects: objects}
	before := n.latest(in)
	var wrong []config.Problem
	for _, p := range report.Problems() {
		switch {
		case p.Severity == config.SeverityError:
			wrong = append(wrong, p)
		case p.Code.Inert():
			in.inert = append(in.inert, p)
		default:
			in.warnings = append(in.warnings, p)
		}
	}
	if doc == nil {
		return nil, &revision.InvalidError{Problems: wrong}
	}
	if doc.Site(n.opts.Config.Site) == nil {
		return nil, &revision.InvalidError{Problems: []config.Problem{config.MissingSite(n.opts.Config.Site)}}
	}
	in.document = n.autoscale.expanded(doc)
	var err error
	if in.plan, err = n.plan(in.document, before); err != nil {
		return nil, err
	}
	if before != nil {
		in.zones = before.zones.Amended(in.document, in.plan, before.plan)
	}
	if in.zones == nil {
		if in.zones, err = adns.CompileZonesFrom(in.document, in.plan, n.zones.secondary.Records); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// latest returns the intent that is served, or nil, and notes in the next one what that has besides its text.
func (n *Node) latest(next *intent) *intent {
	n.reloading.Lock()
	before := n.newest
	next.beside = n.beside
	n.reloading.Unlock()
	next.octets = fresh(next.objects, before)
	return before
}

// fresh is how many octets of objects the document that is served does not have.
func fresh(objects *config.Objects, before *intent) (octets int) {
	old := config.NewObjects(nil)
	if before != nil {
		old = before.objects
	}
	for _, c := range config.Diff(old, objects) {
		if c.After != nil {
			octets += len(c.After.Text())
		}
	}
	return octets
}

// Adopt has an intent served; see replica.Compiler. One with new groups that do not answer at once is served when it returned.
func (c compiler) Adopt(candidate replica.Candidate, v *revision.View) {
	n, made := c.Node, *candidate.(*intent) // the engine hands the same one over again when a revision changes no object
	in := &made
	in.revision = v.Revision
	for _, p := range in.warnings {
		n.log.Warn("config.warning", zap.String("problem", p.String()))
	}
	for _, p := range in.inert {
		n.log.Warn("config.inert", zap.String("problem", p.String()), zap.String("revision", in.revision))
	}
	n.reloading.Lock()
	defer n.reloading.Unlock()
	if n.publisher == nil { // New is under way: build serves it
		n.newest = in
		return
	}
	n.noteRestart(in)
	in = n.caughtUp(in)
	if !n.publisher.running.Load() {
		n.newest = n.withGroups(context.Background(), in)
		n.publisher.adoptNow(n.newest)
		return
	}
	n.newest = in
	n.followGroups(in)
	if !n.gathered() {
		return
	}
	n.gathering.Store(nil)
	n.newest = n.regrouped(in)
	n.publisher.adoptNow(n.newest)
}

// caughtUp is an intent with what has come beside the document since it was compiled: zones of primaries, location files, members of groups.
// n.reloading is held.
func (n *Node) caughtUp(in *intent) *intent {
	next := *in
	switch {
	case in.id == n.newest.id:
		next.document, next.plan, next.zones, next.octets = n.newest.document, n.newest.plan, n.newest.zones, 0
	case in.beside != n.beside:
		var err error
		next.document = n.autoscale.expanded(in.written)
		if next.plan, err = n.plan(next.document, n.newest); err == nil {
			next.zones, err = adns.CompileZonesFrom(next.document, next.plan, n.zones.secondary.Records)
		}
		if err != nil {
			n.log.Error("config.replan", zap.Error(err), zap.String("then", "zones of primaries, location files and groups are as they were when the document was written"))
			return in
		}
	}
	return &next
}

// noteRestart warns of what a document changes that takes effect when the node is started again.
func (n *Node) noteRestart(in *intent) {
	old := n.newest.document.Settings.MEP
	if n.exchange != nil && (old.MetricsInterval != in.document.Settings.MEP.MetricsInterval || old.KeepaliveTimeout != in.document.Settings.MEP.KeepaliveTimeout) {
		n.log.Warn("config.restart", zap.String("why", "settings.mep intervals take effect when the node is started again"))
	}
}

// documentFrom is where the document comes from, for people.
func (n *Node) documentFrom() string {
	switch c := &n.opts.Config.Config; {
	case n.opts.Source != nil:
		return n.opts.Source.Name
	case c.Follow != "":
		return c.Follow
	}
	return n.opts.Config.DataDir
}

// objectsOf parses a document as a file, so that problems have their places in it, and makes objects of it.
func (n *Node) objectsOf(src config.Source) (*config.Objects, error) {
	doc, report := config.Parse(src)
	if err := report.Err(); err != nil {
		return nil, err
	}
	for _, p := range report.Problems() {
		n.log.Warn("config.warning", zap.String("problem", p.String()))
	}
	if doc.Site(n.opts.Config.Site) == nil {
		return nil, fmt.Errorf("%s: this node's site %q is not among its sites", src.Name, n.opts.Config.Site)
	}
	objects, split := src.Objects()
	return objects, split.Err()
}
