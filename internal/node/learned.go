package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"path/filepath"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/gslb"
)

const (
	// learnedFile is the name in the data directory.
	learnedFile = "learned.v1"
	// learnedInterval is the time between two savings, and so the most that is lost when the process is killed.
	learnedInterval = 5 * time.Minute
	// sweepInterval and sweepParts are how the tables are looked through for what has ended: all of them in a minute.
	sweepInterval = time.Second
	sweepParts    = 60
)

// keeper keeps what was learned across restarts, and forgets what has ended.
type keeper struct {
	path   string // empty: nothing is kept
	tables func() learnedTables
	log    *zap.Logger
}

// newHashKey makes a key for tables. It is secret, so that nobody can aim at the places of others.
func newHashKey() gslb.HashKey {
	var seed [16]byte
	_, _ = rand.Read(seed[:]) // never fails
	return gslb.HashKey{binary.NativeEndian.Uint64(seed[:]), binary.NativeEndian.Uint64(seed[8:])}
}

// newTables makes the tables that outlive documents.
func newTables(doc *config.Document, site string, key gslb.HashKey) learnedTables {
	return learnedTables{
		sessions:  gslb.NewSessions(gslb.SessionOptions{Max: doc.Settings.Sessions.MaxEntries, Key: key}),
		resolvers: gslb.NewResolvers(resolverOptions(doc, site, key)),
		pushed:    gslb.NewPushed(),
	}
}

// adapt follows the settings of another document.
func (t learnedTables) adapt(doc *config.Document, site string) learnedTables {
	t.sessions.Grow(doc.Settings.Sessions.MaxEntries)
	t.resolvers = t.resolvers.Carry(resolverOptions(doc, site, t.resolvers.Options().Key))
	return t
}

func resolverOptions(doc *config.Document, site string, key gslb.HashKey) gslb.ResolverOptions {
	s := &doc.Settings.LDNS
	return gslb.ResolverOptions{
		Prefix4: s.Prefix4, Prefix6: s.Prefix6, Max: s.MaxEntries, Timeout: s.EntryTimeout.Std(),
		Sites: min(len(doc.Sites), gslb.MaxResolverSites), Own: xxhash.Sum64String(site), Key: key,
	}
}

// newKeeper returns the keeper of a node; without a data directory it only forgets.
func newKeeper(n *Node) *keeper {
	k := &keeper{log: n.log, tables: func() learnedTables {
		l := n.State().Snapshot.Learned
		return learnedTables{sessions: l.Sessions, resolvers: l.Resolvers, pushed: l.Pushed}
	}}
	if n.opts.Source == nil {
		k.path = filepath.Join(n.opts.Config.DataDir, learnedFile)
	}
	return k
}

// restore makes tables of what was kept; fresh makes empty ones. A file that cannot be used is told of, and is no reason not to
// start.
func (k *keeper) restore(fresh func(gslb.HashKey) learnedTables, now time.Time) learnedTables {
	if k.path == "" {
		return fresh(newHashKey())
	}
	t, n, err := loadLearned(k.path, fresh, now)
	switch {
	case err != nil:
		k.log.Warn("learned.unusable", zap.String("file", k.path), zap.Error(err),
			zap.String("then", "sessions, round-trip times and measurements start anew"))
	case n != learnedCounts{}:
		k.log.Info("learned.restored", zap.String("file", k.path), zap.Uint64("sessions", n.sessions), zap.Uint64("rtts", n.rtts),
			zap.Uint64("measurements", n.pushed))
	}
	return t
}

// save replaces the file.
func (k *keeper) save(now time.Time) {
	if k.path == "" {
		return
	}
	if _, err := saveLearned(k.path, k.tables(), now); err != nil {
		k.log.Warn("learned.unsaved", zap.String("file", k.path), zap.Error(err), zap.String("then", "a restart would lose sessions; it is tried again"))
	}
}

// run forgets and saves until ctx ends. The last saving, when nobody learns any more, is the caller's.
func (k *keeper) run(ctx context.Context) error {
	sweep, save := time.NewTicker(sweepInterval), time.NewTicker(learnedInterval)
	defer sweep.Stop()
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-sweep.C:
			t := k.tables()
			t.sessions.Expire(now.Unix(), sweepParts)
			t.resolvers.Expire(now.Unix(), sweepParts)
			if now.Unix()%sweepParts == 0 {
				t.pushed.Expire(now.Unix())
			}
		case now := <-save.C:
			k.save(now)
		}
	}
}
