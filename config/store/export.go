package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"fairlead/config"
	"fairlead/internal/wholefile"
)

// Names inside the export.
const (
	exportDocument = "document.yaml"
	exportAbout    = "revision.json"
	exportOutside  = "outside" // directory of zone files whose paths lead out of the document's directory
)

// about says what an export is of.
type about struct {
	Revision string            `json:"revision"`
	Document string            `json:"document"`
	Time     time.Time         `json:"time"`
	Files    map[string]string `json:"files,omitempty"` // where a zone file is that cannot be where the document says
}

// export writes the document as people read it, if it is not the one that was written last. The directory is made whole under another name first.
func (s *Store) export() error {
	s.mu.RLock()
	objects, revision := s.objects, s.state.ID()
	s.mu.RUnlock()
	dir := filepath.Join(s.dir, ExportName)
	var last about
	if b, err := os.ReadFile(filepath.Join(dir, exportAbout)); err == nil && json.Unmarshal(b, &last) == nil && last.Revision == revision {
		return nil
	}
	if objects.Len() == 0 || s.readOnly != nil {
		return nil
	}
	return WriteExport(dir, objects, revision, s.opts.Now())
}

// WriteExport makes a directory with a document as people read it: the YAML, its zone files and what it is. What was in the directory is replaced.
// Directories have mode 0700 and files 0600, since a document can have secrets.
func WriteExport(dir string, objects *config.Objects, revision string, now time.Time) error {
	fresh, old := dir+".new", dir+".old"
	if err := errors.Join(os.RemoveAll(fresh), os.RemoveAll(old)); err != nil {
		return err
	}
	if err := fillExport(fresh, objects, about{Revision: revision, Document: objects.ID(), Time: now.UTC(), Files: map[string]string{}}); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

func fillExport(dir string, objects *config.Objects, a about) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for o := range objects.All {
		key := o.Key()
		if key.Kind != config.ObjectFile {
			continue
		}
		at := key.Name
		if !filepath.IsLocal(at) || at == exportDocument || at == exportAbout {
			at = filepath.Join(exportOutside, url.PathEscape(key.Name))
			a.Files[key.Name] = at
		}
		path := filepath.Join(dir, at)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := wholefile.Write(path, 0o600, bytesOf(o.Text())); err != nil {
			return err
		}
	}
	if err := wholefile.Write(filepath.Join(dir, exportDocument), 0o600, objects.YAML); err != nil {
		return err
	}
	b, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	return wholefile.Write(filepath.Join(dir, exportAbout), 0o600, bytesOf(append(b, '\n')))
}

func bytesOf(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// ReadExport returns the document of a directory that WriteExport made.
func ReadExport(dir string) (*config.Objects, error) {
	path := filepath.Join(dir, exportDocument)
	src, err := config.ReadSource(path)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(dir, exportAbout))
	if err != nil {
		return nil, err
	}
	var a about
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("read %q: %w", exportAbout, err)
	}
	for name, at := range a.Files {
		if !filepath.IsLocal(at) {
			return nil, fmt.Errorf("read %q: file %q is outside", exportAbout, at)
		}
		text, err := os.ReadFile(filepath.Join(dir, at))
		if err != nil {
			return nil, err
		}
		if src.Files == nil {
			src.Files = map[string][]byte{}
		}
		src.Files[name] = bytes.Clone(text)
	}
	objects, report := src.Objects()
	if err := report.Err(); err != nil {
		return nil, err
	}
	if got := objects.ID(); got != a.Document {
		return nil, fmt.Errorf("the document in %q is not what was written: its id is %s, not %s", dir, got, a.Document)
	}
	return objects, nil
}

// loadExport returns what the export leads to.
func (s *Store) loadExport() (*contents, error) {
	dir := filepath.Join(s.dir, ExportName)
	objects, err := ReadExport(dir)
	if errors.Is(err, fs.ErrNotExist) {
		objects, err = ReadExport(dir + ".old") // the power failed between two renames
	}
	if err != nil {
		return nil, err
	}
	return seeded(objects, s.opts.Now())
}
