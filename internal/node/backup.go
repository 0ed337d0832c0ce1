package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"fairlead/api"
	"fairlead/api/resource"
	"fairlead/config/revision"
	"fairlead/internal/access"
	"fairlead/internal/backup"
)

// backup writes all that this node knows. With a passphrase it has keys and secrets, too.
func (n *Node) backup(_ context.Context, w io.Writer, passphrase string) error {
	contents, err := backup.Gather(backup.GatherOptions{Store: n.store, DataDir: n.dataDir(), Node: n.opts.Config, NodeFile: n.opts.File, Release: n.opts.Version,
		Secrets: passphrase != "", Now: time.Now()})
	if err != nil {
		return err
	}
	if err = backup.Write(w, contents, passphrase); errors.Is(err, backup.ErrSecrets) {
		return fmt.Errorf("%w: %w", api.ErrNeedsPassphrase, err)
	}
	return err
}

// restore writes the document of a backup as a new revision. What else a backup has is for a node that does not run: fairlead restore.
func (n *Node) restore(ctx context.Context, r io.Reader, passphrase string) (out *resource.Restored, err error) {
	work, err := os.MkdirTemp(n.dataDir(), "restore-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	dir := filepath.Join(work, "backup")
	manifest, err := backup.Read(r, passphrase, dir)
	if err != nil {
		return nil, err
	}
	objects, err := backup.Document(dir)
	if err != nil {
		return nil, err
	}
	made := manifest.Created.UTC().Format(time.RFC3339)
	_, err = n.documents.Commit(ctx, &revision.Write{Replace: objects, Author: access.From(ctx).Name, Source: "restore",
		Reason: fmt.Sprintf("backup of site %s, made at %s", manifest.Site, made), Force: true})
	if err != nil {
		return nil, err
	}
	return &resource.Restored{Site: manifest.Site, Made: made, Parts: []string{"document"}}, nil
}

// dataDir is where revisions are kept.
func (n *Node) dataDir() string {
	if n.temporary != "" {
		return n.temporary
	}
	return n.opts.Config.DataDir
}
