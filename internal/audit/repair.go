package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// A crash, or a full disk, can leave a part of the last line, or a hole where it should be. It was never acknowledged: the part is put
// aside, and the chain goes on behind the last whole line with a line that says so.

// maxTorn bounds what is put aside of a torn end: one batch of lines.
const maxTorn = maxBatch * MaxLine

// torn is what was put aside.
type torn struct {
	file  string
	bytes int64
}

// recovered opens the file at path and finds the end of the chain in it, or in the file before it. A torn end is put aside.
func recovered(path string, now time.Time) (f *os.File, e end, put *torn, err error) {
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, end{}, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, end{}, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, end{}, nil, fmt.Errorf("open %q: it is no file", path)
	}
	whole, err := wholeLines(f, info.Size())
	if err != nil {
		return nil, end{}, nil, err
	}
	if whole < info.Size() {
		if put, err = putAside(f, path, whole, info.Size(), now); err != nil {
			return nil, end{}, nil, err
		}
	}
	e, found, err := lastLine(f, whole)
	if err == nil && !found {
		e, err = endBefore(path)
	}
	return f, e, put, errors.Join(err, syncDirectory(path))
}

// wholeLines returns how much of the file is whole lines: all of it but a last line without end, or one that is no entry.
func wholeLines(f io.ReaderAt, size int64) (int64, error) {
	last := make([]byte, 1)
	if size == 0 {
		return 0, nil
	}
	if _, err := f.ReadAt(last, size-1); err != nil {
		return 0, err
	}
	b := newBackwards(f, size)
	if last[0] != '\n' {
		b = newBackwards(withEnd{f, size}, size+1)
	}
	text, start, err := b.line()
	if errors.Is(err, errLongLine) {
		return 0, fmt.Errorf("the last line is longer than the limit of %d bytes: this is no audit log, or it was tampered with", MaxLine)
	}
	if err != nil {
		return 0, err
	}
	if last[0] == '\n' {
		if _, err := ReadLine(text); err == nil || bytes.IndexByte(text, 0) < 0 {
			return size, nil // a whole line that is no entry was not torn: it is left for everybody to see
		}
	}
	return start, nil
}

// withEnd reads a file as if a line's end stood behind it.
type withEnd struct {
	io.ReaderAt
	size int64
}

func (w withEnd) ReadAt(p []byte, at int64) (int, error) {
	own := min(int64(len(p)), max(0, w.size-at))
	n, err := w.ReaderAt.ReadAt(p[:own], at)
	if int64(n) < own {
		return n, err
	}
	if n < len(p) {
		p[n] = '\n'
		n++
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// putAside moves the file's bytes from whole to size into a file of their own, and then cuts them off.
func putAside(f *os.File, path string, whole, size int64, now time.Time) (*torn, error) {
	t := &torn{file: path + ".torn-" + now.UTC().Format("20060102T150405.000000000Z"), bytes: size - whole}
	out, err := os.OpenFile(t.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = io.Copy(out, io.NewSectionReader(f, whole, min(size-whole, maxTorn)))
		err = errors.Join(err, out.Sync(), out.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("put a torn line aside: %w", err)
	}
	return t, errors.Join(f.Truncate(whole), f.Sync())
}

// endBefore is the end of the chain in the newest full file; zero without one.
func endBefore(path string) (end, error) {
	files, err := Files(path)
	if err != nil {
		return end{}, err
	}
	for len(files) > 0 && files[len(files)-1] == path {
		files = files[:len(files)-1]
	}
	if len(files) == 0 {
		return end{}, nil
	}
	newest := files[len(files)-1]
	f, err := os.Open(newest)
	if err != nil {
		return end{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return end{}, err
	}
	e, _, err := lastLine(f, info.Size())
	if err != nil {
		return end{}, fmt.Errorf("read the end of %s: %w", filepath.Base(newest), err)
	}
	e.size = 0
	return e, nil
}
