package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"fairlead/config"
	"fairlead/internal/audit"
)

// followInterval is how often a look is taken at whether the followed file has changed.
const followInterval = 2 * time.Second

// followTries is how often a file is read that changes while it is.
const followTries = 5

// watchFollowed takes the followed file in whenever it, or a zone file that it names, has changed, until ctx ends. A file that is
// replaced by renaming, as git and editors do, or that a link points to anew, is seen; one that is written in place is read when it has been
// the same for an interval, so that half of it is not taken for all.
func (n *Node) watchFollowed(ctx context.Context) error {
	if n.opts.Config.Config.Follow == "" || n.opts.Source != nil {
		return nil
	}
	look := time.NewTicker(followInterval)
	defer look.Stop()
	seen := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		now, changed := n.followed.look(n.opts.Config.Config.Follow)
		if !changed || now != seen {
			seen = now
			continue
		}
		_ = n.reread(ctx) // what is refused is told by it
	}
}

// followed is what is known of the followed file as it was read last, whether that was taken or refused.
type followed struct {
	mu      sync.Mutex
	paths   []string      // of its zone files, as it names them
	seen    uint64        // digest of what the file system said of all of them before they were read
	planted bool          // it was what the store began with
	atStart []audit.Entry // of what was taken in before the audit log was open
}

// look returns what the file system says now, and whether that is something else than when the file was read.
func (f *followed) look(path string) (now uint64, changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now = statsOf(path, f.paths)
	return now, now != f.seen
}

// read reads the file. f.mu is held. Files that it names for the first time are looked at before they are read, too, so that no change of theirs
// is missed; one that it names in vain is waited for. What changes while it is read is read again, so that the document of one commit never goes
// with a zone file of another one.
func (f *followed) read(path string) (src config.Source, err error) {
	for range followTries {
		f.seen = statsOf(path, f.paths)
		if src, err = config.ReadSource(path); err != nil {
			return src, err
		}
		paths := src.Paths()
		if slices.Equal(paths, f.paths) && statsOf(path, f.paths) == f.seen {
			return src, nil
		}
		f.paths = paths
	}
	return src, fmt.Errorf("read document %q: it, or a zone file of it, changed each of the %d times that it was read; it is read again when it has stayed the same for %v", path, followTries, followInterval)
}

// statsOf is a digest of what the file system says of a document and its zone files.
func statsOf(path string, files []string) uint64 {
	h := xxhash.New()
	note := func(path string) {
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintf(h, "%s: none\n", path)
			return
		}
		fmt.Fprintf(h, "%s: %d %d %d\n", path, info.Size(), info.ModTime().UnixNano(), inodeOf(info))
	}
	note(path)
	for _, file := range files {
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(path), file)
		}
		note(file)
	}
	return h.Sum64()
}
