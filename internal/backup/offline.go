package backup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"fairlead/config"
	"fairlead/config/store"
)

// OfflineOptions say what to back up of a node that is stopped.
type OfflineOptions struct {
	DataDir    string
	Node       *config.Node // nil: only the data directory is known
	NodeFile   string
	Release    string
	Secrets    bool
	Passphrase string // empty: not encrypted
	Now        time.Time
}

// Offline writes a backup of a node that is stopped. A store that is damaged is recovered first, as a start would do.
func Offline(w io.Writer, o OfflineOptions) error {
	if _, err := os.Stat(filepath.Join(o.DataDir, store.FileName)); err != nil {
		return fmt.Errorf("back up %q: there is no store: %w", o.DataDir, err)
	}
	s, err := store.Open(o.DataDir, store.Options{})
	if err != nil {
		return wrap("back up", err)
	}
	c, err := Gather(GatherOptions{Store: s, DataDir: o.DataDir, Node: o.Node, NodeFile: o.NodeFile, Release: o.Release, Secrets: o.Secrets, Now: o.Now})
	if err == nil {
		err = Write(w, c, o.Passphrase)
	}
	return errors.Join(err, s.Close())
}
