package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cespare/xxhash/v2"

	"fairlead/config"
)

// followInterval is how often a look is taken at whether the followed file has changed.
const followInterval = 2 * time.Second

// watchFollowed takes the followed file in whenever it, or a zone file that it names, has changed, until ctx ends. A file that is
// replaced by renaming, as git and editors do, or that a link points to anew, is seen; one that is written in place is read when it has been
// the same for an interval, so that half of it is not taken for all.
func (n *Node) watchFollowed(ctx context.Context) error {
	if n.opts.Config.Config.Follow == "" || n.opts.Source != nil {
		return nil
	}
	look := time.NewTicker(followInterval)
	defer look.Stop()
	read, seen := n.followedStat(), uint64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		now := n.followedStat()
		if now == read || now != seen {
			seen = now
			continue
		}
		read = now
		_ = n.reread(ctx) // what is refused is told by it
	}
}

// followedStat is a digest of what the file system says of the followed file and its zone files.
func (n *Node) followedStat() uint64 {
	path := n.opts.Config.Config.Follow
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
	for o := range n.documents.Current().Objects.All {
		if k := o.Key(); k.Kind == config.ObjectFile {
			note(filepath.Join(filepath.Dir(path), k.Name))
		}
	}
	return h.Sum64()
}
