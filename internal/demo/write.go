package demo

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"fairlead/internal/pki"
)

//go:embed setup
var setup embed.FS

// Names of what Write writes, besides the node files.
const (
	setupDocument = "gslb.yaml"
	setupUnit     = "fairlead.service"
	setupReadme   = "README.md"
	setupPKI      = "pki"
	setupNode     = "node.yaml.tmpl"
)

// Permissions of what Write writes. Keys are written by package pki.
const (
	setupDirMode  fs.FileMode = 0o755
	setupFileMode fs.FileMode = 0o644
)

// setupFile is one file to write.
type setupFile struct {
	name string
	text []byte
}

// Write writes a configuration for two real sites into dir, which is made if it is not there: the GSLB document, a node
// file, a certificate and a key for each site, the authority that issued them, a systemd unit, and a README.md that says
// what to change and where everything goes. It returns the paths written, also beside an error. It overwrites nothing: if
// one of the files is there already, it writes none.
func Write(dir string) ([]string, error) {
	files, err := setupFiles()
	if err != nil {
		return nil, err
	}
	if err := refuseExisting(dir, files); err != nil {
		return nil, fmt.Errorf("write configuration to %q: %w", dir, err)
	}
	if err := os.MkdirAll(dir, setupDirMode); err != nil {
		return nil, fmt.Errorf("write configuration to %q: %w", dir, err)
	}
	written, err := writePKI(filepath.Join(dir, setupPKI))
	if err != nil {
		return written, err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := writeNew(path, f.text); err != nil {
			return written, fmt.Errorf("write %q: %w", path, err)
		}
		written = append(written, path)
	}
	return written, nil
}

// setupFiles makes all files but those of the pki.
func setupFiles() ([]setupFile, error) {
	var out []setupFile
	for _, name := range []string{setupDocument, setupUnit, setupReadme} {
		text, err := setup.ReadFile("setup/" + name)
		if err != nil {
			return nil, fmt.Errorf("read template %q: %w", name, err)
		}
		out = append(out, setupFile{name, text})
	}
	node, err := template.ParseFS(setup, "setup/"+setupNode)
	if err != nil {
		return nil, fmt.Errorf("read template %q: %w", setupNode, err)
	}
	for _, name := range []string{siteAms, siteNyc} {
		var text bytes.Buffer
		if err := node.Execute(&text, struct{ Site string }{name}); err != nil {
			return nil, fmt.Errorf("make node file of site %q: %w", name, err)
		}
		out = append(out, setupFile{"node-" + name + ".yaml", text.Bytes()})
	}
	return out, nil
}

// refuseExisting fails if any of the files is there already, naming all that are.
func refuseExisting(dir string, files []setupFile) error {
	names := []string{setupPKI}
	for _, f := range files {
		names = append(names, f.name)
	}
	var there []string
	for _, name := range names {
		switch _, err := os.Lstat(filepath.Join(dir, name)); {
		case err == nil:
			there = append(there, name)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("it has %s already; use another directory, or move them away", strings.Join(there, ", "))
	}
	return nil
}

// writePKI makes an authority and a certificate for each site.
func writePKI(dir string) ([]string, error) {
	if err := pki.Init(dir, pki.Options{}); err != nil {
		return nil, err
	}
	written := []string{filepath.Join(dir, pki.AuthorityCert), filepath.Join(dir, pki.AuthorityKey)}
	for _, name := range []string{siteAms, siteNyc} {
		paths, err := pki.Issue(dir, name, pki.Options{})
		if err != nil {
			return written, err
		}
		written = append(written, paths.Cert, paths.Key)
	}
	return written, nil
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, setupFileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
