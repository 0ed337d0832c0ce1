package replay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"sync"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"
)

// Read reads a query log (lines of JSON) or a dnstap file, whichever it is. A file that ends in the middle of an entry is
// read as far as it goes. It fails when there is no query in it.
func Read(ctx context.Context, in io.Reader) (*Queries, error) {
	r := bufio.NewReaderSize(in, chunkOctets)
	start, err := r.Peek(4)
	if err != nil && len(start) == 0 {
		return nil, fmt.Errorf("read queries: %w", errors.Join(errors.New("the file is empty"), notEOF(err)))
	}
	if bytes.HasPrefix(start, []byte{0x1f, 0x8b}) {
		return nil, errors.New("read queries: the file is compressed: give what gzip -dc says to standard input, and - as the file")
	}
	var q *Queries
	if bytes.Equal(start, []byte{0, 0, 0, 0}) {
		q, err = readDnstap(ctx, r)
	} else {
		q, err = readLog(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	if q.Queries == 0 {
		return nil, fmt.Errorf("read queries: none found, %d entries unreadable, %d without a question: is this a query log or a dnstap file?", q.Unreadable, q.Other)
	}
	return q, nil
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// inParallel gives chunks to as many goroutines as there are processors, and joins what each of them has read.
func inParallel(ctx context.Context, produce func(emit func(chunk []byte) error) error, consume func(*Queries, []byte)) (*Queries, error) {
	workers := runtime.GOMAXPROCS(0)
	chunks := make(chan []byte, workers)
	group, ctx := errgroup.WithContext(ctx)
	out := newQueries()
	var mu sync.Mutex
	group.Go(func() error {
		defer close(chunks)
		return produce(func(chunk []byte) error {
			select {
			case chunks <- chunk:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	for range workers {
		group.Go(func() error {
			mine := newQueries()
			for chunk := range chunks {
				consume(mine, chunk)
			}
			mu.Lock()
			defer mu.Unlock()
			out.merge(mine)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read queries: %w", err)
	}
	return out, nil
}

// readLog reads lines of JSON.
func readLog(ctx context.Context, r *bufio.Reader) (*Queries, error) {
	return inParallel(ctx, func(emit func([]byte) error) error {
		for {
			chunk := make([]byte, chunkOctets)
			n, err := io.ReadFull(r, chunk)
			chunk = chunk[:n]
			if err == nil { // up to the end of a line
				rest, lineErr := readRest(r)
				chunk = append(chunk, rest...)
				err = lineErr
			}
			if len(chunk) > 0 {
				if err := emit(chunk); err != nil {
					return err
				}
			}
			switch {
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				return nil
			case err != nil:
				return err
			}
		}
	}, readLines)
}

// readRest reads what is left of a line, which has an end.
func readRest(r *bufio.Reader) ([]byte, error) {
	var rest []byte
	for {
		part, err := r.ReadSlice('\n')
		rest = append(rest, part...)
		switch {
		case !errors.Is(err, bufio.ErrBufferFull):
			return rest, err
		case len(rest) > maxLineOctets:
			return nil, fmt.Errorf("a line of more than %d octets: this is no query log", maxLineOctets)
		}
	}
}

// line is what is read of an entry.
type line struct {
	Client   string `json:"client"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	Subnet   string `json:"subnet"`
	Listener string `json:"listener"`
}

// readLines reads a chunk of whole lines; the last one of a file may be cut.
func readLines(q *Queries, chunk []byte) {
	for len(chunk) > 0 {
		text, rest, ended := bytes.Cut(chunk, []byte{'\n'})
		chunk = rest
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			if ended {
				q.Unreadable++
			} else {
				q.Cut = true
			}
			continue
		}
		k, ok := l.kind()
		if !ok {
			q.Other++
			continue
		}
		q.add(k, 1)
	}
}

// kind returns what a line asks; ok is false when it has no question.
func (l *line) kind() (k Kind, ok bool) {
	t, known := dns.StringToType[l.Type]
	if !known {
		t, known = typeNumber(l.Type)
	}
	if !known || l.Name == "" {
		return k, false
	}
	k = Kind{Name: dns.CanonicalName(l.Name), Type: t}
	if p, err := netip.ParsePrefix(l.Client); err == nil {
		k.Client = p.Addr()
	} else if a, err := netip.ParseAddr(l.Client); err == nil {
		k.Client = a.Unmap().WithZone("")
	} else {
		return k, false
	}
	if p, err := netip.ParsePrefix(l.Subnet); err == nil {
		k.Subnet = p.Masked()
	}
	if a, err := netip.ParseAddr(l.Listener); err == nil {
		k.Listener = a.Unmap().WithZone("")
	}
	return k, true
}

// typeNumber reads TYPEnnn (RFC 3597).
func typeNumber(text string) (uint16, bool) {
	digits, ok := strings.CutPrefix(text, "TYPE")
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' || n > 65535 {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return uint16(n), ok && digits != "" && n <= 65535
}
