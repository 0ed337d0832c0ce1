package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// olderFormat names a file that is full: for audit.jsonl audit-00000000000000000042.jsonl, with the number of its last line. Names are
// in the order of the lines.
const olderFormat = "%s-%020d%s"

// olderName is the name that a full file gets.
func olderName(path string, last uint64) string {
	extension := filepath.Ext(path)
	return fmt.Sprintf(olderFormat, strings.TrimSuffix(path, extension), last, extension)
}

// Files returns the files of the log at path that there are, the oldest first.
func Files(path string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	extension := filepath.Ext(path)
	before := strings.TrimSuffix(filepath.Base(path), extension) + "-"
	var out []string
	for _, e := range entries {
		middle, hasPrefix := strings.CutPrefix(e.Name(), before)
		middle, hasSuffix := strings.CutSuffix(middle, extension)
		if hasPrefix && hasSuffix && len(middle) == 20 && strings.Trim(middle, "0123456789") == "" {
			out = append(out, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	slices.Sort(out)
	if _, err := os.Stat(path); err == nil {
		out = append(out, path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return out, nil
}

// end is where the chain stands.
type end struct {
	seq  uint64 // of the last line; 0: there is none
	head hash   // of the last line
	size int64  // of the file that is written
}

// lastLine finds the end of the chain in a file whose whole lines end at size. ok is false for a file without lines.
func lastLine(file io.ReaderAt, size int64) (e end, ok bool, err error) {
	text, _, err := newBackwards(file, size).line()
	if errors.Is(err, io.EOF) {
		return end{}, false, nil
	}
	if err != nil {
		return end{}, false, err
	}
	l, err := ReadLine(text)
	if err != nil {
		return end{}, false, err
	}
	return end{seq: l.Seq, head: hashOf(text), size: size}, true, nil
}

// syncDirectory makes a new name last through a power failure. Systems whose directories cannot be synced do it by themselves.
func syncDirectory(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}
