package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"fairlead/config/zonetext"
)

// MaxIncludedFiles is how many files the zone files of one document can include, together.
const MaxIncludedFiles = 10_000

// sourceReading collects the zone files of a document.
type sourceReading struct {
	src      *Source
	left     int64 // bytes that may still be read
	included int
}

// zoneFile reads a zone file, which dir makes an absolute path of, and what it includes.
func (r *sourceReading) zoneFile(dir, name string) {
	full := name
	if !filepath.IsAbs(full) {
		full = filepath.Join(dir, name)
	}
	text, err := readZoneFile(full, min(r.left, MaxZoneFileBytes))
	if !r.keep(name, text, err) || len(zonetext.Includes(text)) == 0 {
		return
	}
	root, err := os.OpenRoot(filepath.Dir(full))
	if err != nil {
		return // the file has gone meanwhile; Parse misses what it includes
	}
	defer func() { _ = root.Close() }()
	r.includes(root, name, filepath.Base(full), text, 1)
}

// includes reads what a text includes, and what that includes. root is the directory of the zone file: nothing outside is
// read, by way of links neither. inRoot is the text's path below it. What is too deep or too much is left to Parse to say.
func (r *sourceReading) includes(root *os.Root, name, inRoot string, text []byte, depth int) {
	for _, given := range zonetext.Includes(text) {
		key := includeName(name, given)
		_, known := r.src.Files[key]
		_, tried := r.src.unread[key]
		if known || tried || depth == zonetext.MaxDepth || r.included == MaxIncludedFiles {
			continue
		}
		r.included++
		below := path.Join(path.Dir(inRoot), given)
		text, err := readBelow(root, below, min(r.left, MaxZoneFileBytes))
		if r.keep(key, text, err) {
			r.includes(root, key, below, text, depth+1)
		}
	}
}

func (r *sourceReading) keep(name string, text []byte, err error) bool {
	if err != nil {
		r.src.unread[name] = err
		return false
	}
	r.src.Files[name] = text
	r.left -= int64(len(text))
	return true
}

// readBelow reads a regular file below a directory.
func readBelow(root *os.Root, name string, limit int64) ([]byte, error) {
	name = filepath.FromSlash(name)
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	return readAll(f, limit)
}

// readAll reads a file of at most limit bytes and closes it.
func readAll(f *os.File, limit int64) ([]byte, error) {
	text, err := readSized(f, limit)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s is larger than the limit of %d bytes", f.Name(), limit)
	}
	return text, nil
}

// readSized reads at most one byte more than limit. A regular file is read into memory of its size; what is none, such as
// a pipe, grows.
func readSized(f *os.File, limit int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > limit {
		return io.ReadAll(io.LimitReader(f, limit+1))
	}
	text := make([]byte, info.Size()+1)
	n, err := io.ReadFull(f, text)
	if err == nil { // it has grown since
		rest, err := io.ReadAll(io.LimitReader(f, limit+1-int64(n)))
		return append(text, rest...), err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil
	}
	return text[:n:n], err
}
