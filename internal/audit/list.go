package audit

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// MaxPage is how many lines one List returns at most.
	MaxPage = 500
	// maxLooked is how many lines one List looks at: a filter that nothing fits must not read a whole log at once.
	maxLooked = 50_000
	// lookedBetween is after how many lines List looks whether its context has ended.
	lookedBetween = 512
)

// Filter narrows a list down. The zero Filter lets all through.
type Filter struct {
	Who    string    // name or id; empty: anybody
	Object string    // kind/name, or what it begins with up to a slash; empty: any
	Since  time.Time // not before; zero: ever
	Before uint64    // only lines with lower numbers; 0: from the newest on
	Limit  int       // 1 to MaxPage; 0: MaxPage
}

// Page is a part of the log, the newest line first.
type Page struct {
	Lines      []Line
	Next       uint64 // Before of the next page; 0: there is none
	Unreadable int    // lines that are no entries: Verify says more
	Head       Head
}

func (f *Filter) fits(l *Line) bool {
	switch {
	case f.Who != "" && f.Who != l.Who.Name && f.Who != l.Who.ID:
		return false
	case f.Object != "" && f.Object != l.Object && !strings.HasPrefix(l.Object, strings.TrimSuffix(f.Object, "/")+"/"):
		return false
	}
	return !l.Time.Before(f.Since)
}

// List returns lines that pass a filter. A page may have fewer lines than asked for, even none, and still be followed by another one.
func (l *Log) List(ctx context.Context, f Filter) (Page, error) {
	if f.Limit <= 0 || f.Limit > MaxPage {
		f.Limit = MaxPage
	}
	open, head, err := l.openFiles()
	defer func() {
		for _, o := range open {
			o.file.Close() //nolint:errcheck // it was only read
		}
	}()
	if err != nil {
		return Page{}, err
	}
	page := Page{Head: head}
	looked := 0
	for i := len(open) - 1; i >= 0; i-- {
		if i > 0 && f.Before != 0 && f.Before <= open[i-1].last+1 {
			continue
		}
		b := newBackwards(open[i].file, open[i].size)
		for {
			text, _, err := b.line()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return Page{}, err
			}
			if looked++; looked%lookedBetween == 0 && ctx.Err() != nil {
				return Page{}, context.Cause(ctx)
			}
			line, err := ReadLine(text)
			switch {
			case err != nil:
				page.Unreadable++
				continue
			case f.Before != 0 && line.Seq >= f.Before:
				continue
			case f.fits(&line):
				page.Lines = append(page.Lines, line)
			}
			if len(page.Lines) == f.Limit || looked >= maxLooked {
				if line.Seq > 1 {
					page.Next = line.Seq
				}
				return page, nil
			}
		}
	}
	return page, nil
}

// openFile is a file of the log as far as it is whole.
type openFile struct {
	file *os.File
	size int64
	last uint64 // number of the last line; 0: not known
}

// openFiles opens all files of the log, the oldest first, at one moment between two rotations.
func (l *Log) openFiles() ([]openFile, Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	head := Head{Seq: l.end.seq, Hash: l.end.head.String()}
	names, err := Files(l.opts.Path)
	if err != nil {
		return nil, head, err
	}
	var out []openFile
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return out, head, err
		}
		o := openFile{file: f, size: l.end.size}
		if name != l.opts.Path {
			info, err := f.Stat()
			if err != nil {
				return append(out, o), head, err
			}
			o.size, o.last = info.Size(), lastOf(name)
		}
		out = append(out, o)
	}
	return out, head, nil
}

// lastOf is the number of the last line that a full file's name tells.
func lastOf(name string) uint64 {
	digits := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	digits = digits[max(0, len(digits)-20):]
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}
