package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"fairlead/adns"
	"fairlead/config"
	store "fairlead/config/store/layout1"
	"fairlead/gslb"
)

// intent is a document ready to be served: parsed, validated and compiled. It exists only when all of that succeeded, so
// a document that is refused changes nothing.
type intent struct {
	from     string // the file or directory it came from
	id       string
	written  *config.Document // as Parse gave it
	document *config.Document // the same with its groups expanded: what everything else is made from
	plan     *gslb.Plan
	zones    *adns.Zones
	since    time.Time
	octets   int // of the text and the zone files it was made from, which are not kept
}

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

// compile makes an intent. The error lists every problem of the document.
func (n *Node) compile(src config.Source, from string) (*intent, error) {
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
	expanded := n.autoscale.expanded(doc)
	plan, err := n.plan(expanded)
	if err != nil {
		return nil, err
	}
	zones, err := adns.CompileZonesFrom(expanded, plan, n.zones.secondary.Records)
	if err != nil {
		return nil, err
	}
	return &intent{octets: src.Octets(), from: from, id: src.ID(), written: doc, document: expanded, plan: plan, zones: zones, since: time.Now()}, nil
}

// firstIntent finds the document to start with.
func (n *Node) firstIntent() (*intent, error) {
	if n.opts.Source != nil {
		return n.compile(*n.opts.Source, n.opts.Source.Name)
	}
	var err error
	if n.store, err = store.Open(n.opts.Config.DataDir); err != nil {
		return nil, err
	}
	in, err := n.storedOrFile()
	if err != nil {
		return nil, errors.Join(err, n.closeStore())
	}
	return in, nil
}

func (n *Node) storedOrFile() (*intent, error) {
	if follow := n.opts.Config.Config.Follow; follow != "" {
		return n.followed(follow)
	}
	head, found, err := n.store.Head()
	if err != nil {
		return nil, err
	}
	seed := n.opts.Config.Config.Seed
	if !found {
		return n.fromFile(seed, "seed")
	}
	n.noteUnreadSeed(seed, head)
	return n.stored(head)
}

// stored compiles the newest revision of the data directory.
func (n *Node) stored(head store.Revision) (*intent, error) {
	in, err := n.compile(head.Document, n.opts.Config.DataDir)
	if err != nil {
		return nil, fmt.Errorf("serve revision %.8s, the last one kept in data_dir %q: %w", head.ID, n.opts.Config.DataDir, err)
	}
	return in, nil
}

// fromFile reads a document, compiles it and keeps it as a revision.
func (n *Node) fromFile(path, reason string) (*intent, error) {
	src, err := config.ReadSource(path)
	if err != nil {
		return nil, err
	}
	in, err := n.compile(src, path)
	if err != nil {
		return nil, err
	}
	err = n.store.Append(store.Revision{ID: in.id, Author: "node " + n.opts.Config.Site, Source: "file", Reason: reason, Time: in.since, Document: src})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// followed starts with the followed file. When that is wrong, the last revision that was right is served instead: a
// restart must not turn a typing error into an outage.
func (n *Node) followed(path string) (*intent, error) {
	in, err := n.fromFile(path, "follow")
	if err == nil {
		return in, nil
	}
	head, found, storedErr := n.store.Head()
	if storedErr == nil && !found {
		return nil, err
	}
	if storedErr == nil {
		in, storedErr = n.stored(head)
	}
	if storedErr != nil {
		return nil, errors.Join(err, storedErr)
	}
	n.refuse(path, err)
	return in, nil
}

// noteUnreadSeed warns when the seed has been edited: it is read only once.
func (n *Node) noteUnreadSeed(seed string, head store.Revision) {
	src, err := config.ReadSource(seed)
	if err != nil || src.ID() == head.ID {
		return
	}
	n.log.Warn("config.seed.unread", zap.String("file", seed), zap.String("serving", head.ID),
		zap.String("why", "data_dir holds a revision already, and a seed is read only once; name the file in config.follow to make it the truth"))
}

// refuse records that a document was not taken.
func (n *Node) refuse(path string, err error) {
	text := err.Error()
	n.reloadErr.Store(&text)
	n.log.Error("config.refused", zap.String("file", path), zap.Error(err), zap.String("then", "the document in use stays"))
}

// Reload reads a followed document again and serves it from then on. When it is wrong the old one stays, and the error
// lists its problems. A node with a seed has nothing to read again; that is no error. The cookie secrets and the
// certificates of the DNS server are read again, too; what is refused is in the log.
func (n *Node) Reload() error {
	n.reopenLogs()
	n.reloadCookieSecrets()
	_ = n.dns.ReloadCertificates()
	n.geo.reread()
	path := n.opts.Config.Config.Follow
	if path == "" || n.store == nil {
		n.log.Info("config.unchanged", zap.String("why", "the node follows no file"))
		return nil
	}
	n.reloading.Lock()
	defer n.reloading.Unlock()
	in, err := n.fromFile(path, "follow")
	if err != nil {
		n.refuse(path, err)
		return err
	}
	if in.id == n.latest {
		n.reloadErr.Store(nil)
		n.log.Info("config.unchanged", zap.String("file", path), zap.String("revision", in.id))
		n.publisher.refresh()
		return nil
	}
	if old := n.State().Document.Settings.MEP; n.exchange != nil && (old.MetricsInterval != in.document.Settings.MEP.MetricsInterval ||
		old.KeepaliveTimeout != in.document.Settings.MEP.KeepaliveTimeout) {
		n.log.Warn("config.restart", zap.String("why", "settings.mep intervals take effect when the node is started again"))
	}
	n.reloadErr.Store(nil)
	in = n.withGroups(context.Background(), in)
	n.latest, n.newest = in.id, in
	n.publisher.adoptLater(in)
	return nil
}
