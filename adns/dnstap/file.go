package dnstap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// maxFileOctets is where a file is ended and the next one begun.
const maxFileOctets = 1 << 30

// rotatedName is the suffix that a file gets when another takes its place: the time, and a number from the second on.
const rotatedName = ".20060102T150405Z"

// maxRotatedNames bounds the search for a name that is free.
const maxRotatedNames = 1000

// file is an output that tools such as dnstap-ldns read.
type file struct {
	f      *os.File
	octets int64
}

// openFile begins a file. One that exists is kept under another name, because nothing can follow a stream's STOP.
func openFile(path string) (output, error) {
	if err := rotate(path, time.Now()); err != nil {
		return nil, fmt.Errorf("begin dnstap file %q: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, fmt.Errorf("begin dnstap file: %w", err)
	}
	out := &file{f: f}
	if err := out.write(appendControl(nil, controlStart)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return out, nil
}

// rotate moves a file out of the way. An empty one, or one with nothing between START and STOP, goes.
func rotate(path string, now time.Time) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it exists and is no regular file")
	case info.Size() <= int64(len(appendControl(appendControl(nil, controlStart), controlStop))):
		return os.Remove(path)
	}
	base := path + now.UTC().Format(rotatedName)
	name := base
	for n := 2; n <= maxRotatedNames; n++ {
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return os.Rename(path, name)
		}
		name = fmt.Sprintf("%s.%d", base, n)
	}
	return fmt.Errorf("%d older files have the name %s", maxRotatedNames, base)
}

func (o *file) write(frames []byte) error {
	n, err := o.f.Write(frames)
	if err != nil {
		return o.undo(n, err)
	}
	o.octets += int64(n)
	return nil
}

// undo takes back n octets of a write that failed, so that no frame is left cut and the file can be read to its end.
func (o *file) undo(n int, err error) error {
	if n > 0 {
		err = errors.Join(err, o.f.Truncate(o.octets))
	}
	return fmt.Errorf("write dnstap file: %w", err)
}

// gone is nil: a file does not leave.
func (o *file) gone() <-chan struct{} { return nil }

func (o *file) full() bool { return o.octets >= maxFileOctets }

func (o *file) finish() {}

func (o *file) close() error {
	return errors.Join(o.write(appendControl(nil, controlStop)), o.f.Close())
}
