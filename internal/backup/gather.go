package backup

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/config/store"
)

// Limits of secrets.
const (
	maxSecrets = 10_000
	maxSecret  = 1 << 20 // octets of one file
)

// Store is what a backup needs of an open store.
type Store interface {
	Backup(w io.Writer) error
	Document() (objects *config.Objects, revision string)
	// Secrets lists objects that hold secrets themselves, and counts earlier versions that did.
	Secrets() (now []config.ObjectKey, before int, err error)
}

// GatherOptions say what to gather.
type GatherOptions struct {
	Store    Store        // open
	DataDir  string       // where it is
	Node     *config.Node // nil: only the data directory is known
	NodeFile string       // empty: not known
	Release  string
	Secrets  bool // keys and secrets that the node file names, too
	Now      time.Time
}

// left are files of the data directory that a backup does not have: they follow from others, or were kept aside.
var left = []string{store.FileName, "fairlead.copy", "fairlead.journal.", store.ExportName, "restored"}

// Gather lists what a site knows. The files are read when the backup is written; the node may be running, since all of them are replaced whole.
func Gather(o GatherOptions) (Contents, error) {
	objects, revision := o.Store.Document()
	c := Contents{Head: Head{Created: o.Now.UTC(), Release: o.Release, Revision: revision, Document: objects.ID(), Secrets: o.Secrets}}
	c.Open = func() error { return literal(o.Store) }
	if o.Node != nil {
		c.Site = o.Node.Site
	}
	c.Parts = append(c.Parts, Part{Name: dataDir + store.FileName, Write: o.Store.Backup}, Part{Name: exportDir + "document.yaml", Write: objects.YAML})
	n := 0
	for object := range objects.All {
		if object.Key().Kind == config.ObjectFile {
			n++
			c.Parts = append(c.Parts, Part{Name: fmt.Sprintf("%sfiles/%06d", exportDir, n), Path: object.Key().Name, Write: func(w io.Writer) error {
				_, err := w.Write(object.Text())
				return err
			}})
		}
	}
	elsewhere, err := o.secrets()
	if err != nil {
		return Contents{}, wrap("gather backup", err)
	}
	err = filepath.WalkDir(o.DataDir, func(path string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(o.DataDir, path)
		switch {
		case err != nil || relErr != nil:
			return err
		case slices.ContainsFunc(left, func(s string) bool { return strings.HasPrefix(name, s) }) || strings.HasPrefix(filepath.Base(name), "."):
			if d.IsDir() && path != o.DataDir {
				return fs.SkipDir
			}
			return nil
		case d.Type().IsRegular() && !elsewhere.has(path):
			c.Parts = append(c.Parts, file(dataDir+filepath.ToSlash(name), path, ""))
		}
		return nil
	})
	if err != nil {
		return Contents{}, wrap("gather backup", err)
	}
	c.Parts = append(c.Parts, nodeParts(o)...)
	if !o.Secrets || o.Node == nil {
		return c, nil
	}
	secrets, err := secretParts(elsewhere.paths)
	if err != nil {
		return Contents{}, wrap("gather backup", err)
	}
	c.Parts = append(c.Parts, secrets...)
	return c, nil
}

// file is a part that is a file, which may be gone by then.
func file(name, path, was string) Part {
	return Part{Name: name, Path: was, Write: func(w io.Writer) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		_, err = io.Copy(w, f)
		return err
	}}
}

// nodeParts are the node file, unless it came through a pipe, and the tokens, which are hashes.
func nodeParts(o GatherOptions) []Part {
	var parts []Part
	if info, err := os.Stat(o.NodeFile); o.NodeFile != "" && (err != nil || info.Mode().IsRegular()) {
		parts = append(parts, file(nodeDir+"node.yaml", o.NodeFile, o.NodeFile))
	}
	if o.Node != nil && o.Node.API.TokensFile != "" && !inside(o.DataDir, o.Node.API.TokensFile) {
		if _, err := os.Stat(o.Node.API.TokensFile); err == nil {
			parts = append(parts, file(nodeDir+"tokens.json", o.Node.API.TokensFile, o.Node.API.TokensFile))
		}
	}
	return parts
}

func inside(dir, path string) bool {
	name, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(name)
}

// secretPaths are the keys, certificates and secrets that a node file names, in order.
func secretPaths(n *config.Node) ([]string, error) {
	paths := []string{n.MEP.TLS.Cert, n.MEP.TLS.Key, n.MEP.TLS.CA, n.API.TLS.Cert, n.API.TLS.Key, n.API.TLS.ClientCA, n.DNS.CookieSecretFile}
	if t := n.DNS.TLS; t != nil {
		paths = append(paths, t.Cert, t.Key)
	}
	if h := n.DNS.HTTPS; h != nil {
		paths = append(paths, h.Cert, h.Key)
	}
	if e := n.Config.Store.Etcd; e != nil {
		paths = append(paths, e.TLS.Cert, e.TLS.Key, e.TLS.CA, e.PasswordFile)
	}
	for _, k := range n.DNS.TSIGKeys {
		paths = append(paths, k.SecretFile)
	}
	for _, dir := range n.Probes.Secrets.Directories {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				paths = append(paths, path)
			}
			if len(paths) > maxSecrets {
				return fmt.Errorf("more than %d secrets", maxSecrets)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// secretParts are secrets. What is not there is left out: a node runs without many of them.
func secretParts(paths []string) ([]Part, error) {
	var parts []Part
	for i, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Size() > maxSecret {
			return nil, fmt.Errorf("%q has %d octets, and a secret at most %d", path, info.Size(), maxSecret)
		}
		parts = append(parts, file(fmt.Sprintf("%s%04d", secretsDir, i), path, path))
	}
	return parts, nil
}
