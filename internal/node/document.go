package node

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/config/store"
)

// documents opens where documents are kept and finds the one to start with: n.newest.
func (n *Node) openDocuments(ctx context.Context) error {
	o := replica.Options{Site: n.opts.Config.Site, Mode: n.mode(), Follows: n.opts.Config.Config.Follow, Release: n.opts.Version, Compiler: compiler{n},
		Seed: n.seed, Role: n.roleOf, Parent: n.parent, Members: n.members, Event: n.documentEvent, Logger: n.log.Named("documents")}
	if n.exchanges() {
		o.Send = n.sendDocuments
	}
	dir := n.opts.Config.DataDir
	var err error
	if n.opts.Source != nil {
		if dir, err = os.MkdirTemp("", "fairlead-"); err != nil {
			return fmt.Errorf("make a directory for revisions: %w", err)
		}
		n.temporary = dir
	}
	if n.store, err = store.Open(dir, store.Options{Revisions: n.opts.Config.Config.History.Revisions, Size: int64(n.opts.Config.Config.History.Megabytes) << 20, Logger: n.log}); err != nil {
		return errors.Join(err, n.closeStore())
	}
	if etcd := n.opts.Config.Config.Store.Etcd; etcd != nil && n.opts.Source == nil {
		err = n.openEtcd(ctx, etcd)
	} else {
		o.Store = n.store
		n.mesh, err = replica.New(ctx, o)
		n.documents = n.mesh
	}
	if err != nil {
		return errors.Join(fmt.Errorf("data_dir %q: %w", dir, err), n.closeStore())
	}
	if n.newest == nil {
		return errors.Join(fmt.Errorf("data_dir %q has no document, and the node file names none", n.opts.Config.DataDir), n.closeStore())
	}
	if n.opts.Config.Config.Follow != "" && n.opts.Source == nil {
		n.notePlanted()
		n.followAtStart(ctx)
	}
	return nil
}

// mode is who may write here.
func (n *Node) mode() replica.Mode {
	switch c := &n.opts.Config.Config; {
	case c.Follow != "" && n.opts.Source == nil:
		return replica.ModeFollow
	case c.ReadOnly:
		return replica.ModeReadOnly
	}
	return replica.ModeSeed
}

// seed reads the document to begin with.
func (n *Node) seed() (*config.Objects, error) {
	if n.opts.Source != nil {
		return n.objectsOf(*n.opts.Source)
	}
	path := n.opts.Config.Config.Seed
	if path == "" {
		path = n.opts.Config.Config.Follow
		n.followed.planted = path != ""
	}
	src, err := config.ReadSource(path)
	if err != nil {
		return nil, err
	}
	return n.objectsOf(src)
}

// followAtStart takes the followed file in. When that is wrong, the last document that was right is served instead: a
// restart must not turn a typing error into an outage.
func (n *Node) followAtStart(ctx context.Context) {
	if err := n.follow(ctx); err != nil {
		n.refuse(n.opts.Config.Config.Follow, err)
	}
}

// follow reads the followed file and writes what it says.
func (n *Node) follow(ctx context.Context) error {
	n.followed.mu.Lock()
	defer n.followed.mu.Unlock()
	src, err := n.followed.read(n.opts.Config.Config.Follow)
	if err != nil {
		return err
	}
	objects, err := n.objectsOf(src)
	if err != nil {
		return err
	}
	before := n.documents.Current()
	out, err := n.mesh.Follow(ctx, objects, n.opts.Config.Config.Force)
	if err == nil {
		n.noteFollowed(out, before)
	}
	if errors.Is(err, revision.ErrRefused) {
		return fmt.Errorf("%w; set config.force in the node file if that is what you want", err)
	}
	return err
}

// noteUnreadSeed warns when the seed has been edited: it is read only once.
func (n *Node) noteUnreadSeed() {
	seed := n.opts.Config.Config.Seed
	if seed == "" || n.opts.Source != nil {
		return
	}
	src, err := config.ReadSource(seed)
	if err != nil {
		return
	}
	objects, report := src.Objects()
	if report.Errors() > 0 || objects.ID() == n.newest.id {
		return
	}
	n.log.Warn("config.seed.unread", zap.String("file", seed), zap.String("serving", n.newest.revision),
		zap.String("why", "data_dir holds a revision already, and a seed is read only once; apply the file, or name it in config.follow to make it the truth"))
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
	n.door.reload()
	path := n.opts.Config.Config.Follow
	if path == "" || n.opts.Source != nil {
		n.log.Info("config.unchanged", zap.String("why", "the node follows no file"))
		return nil
	}
	return n.reread(context.Background())
}

// reread takes in the followed file as it is now.
func (n *Node) reread(ctx context.Context) error {
	path := n.opts.Config.Config.Follow
	before := n.documents.Current().Revision
	if err := n.follow(ctx); err != nil {
		n.refuse(path, err)
		return err
	}
	n.reloadErr.Store(nil)
	if now := n.documents.Current().Revision; now == before {
		n.log.Info("config.unchanged", zap.String("file", path), zap.String("revision", now))
		n.publisher.refresh()
	}
	return nil
}

// notServed says why another document is served than the one that counts, and whether none is; empty: that is.
func (n *Node) notServed() (why string, nothing bool) {
	if n.documents == nil {
		return "", false
	}
	v := n.documents.Current()
	return v.NotServed, v.Nothing
}

// documents is an engine of documents: that of the mesh of sites, or that of etcd.
type documents interface {
	revision.Documents
	Stats() replica.Stats
	Run(ctx context.Context) error
}
