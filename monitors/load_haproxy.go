package monitors

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// maxBackendsShown bounds the list of names in an error.
const maxBackendsShown = 5

// haproxySessions reads the current sessions of a backend from HAProxy's CSV statistics (management guide, 9.1): a first
// line "# pxname,svname,..." that names the columns, then one row for each frontend, backend and server. Columns are found
// by name, since releases add some.
func haproxySessions(page []byte, backend string) (uint64, error) {
	page = bytes.TrimPrefix(bytes.TrimSpace(page), []byte("\ufeff"))
	if !bytes.HasPrefix(page, []byte("#")) {
		return 0, fmt.Errorf("answer is not CSV statistics but starts with %s: does the url end in ;csv?",
			quoteShort(firstLine(page)))
	}
	r := csv.NewReader(bytes.NewReader(page[1:]))
	r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace, r.ReuseRecord = -1, true, true, true
	header, err := r.Read()
	if err != nil {
		return 0, fmt.Errorf("read CSV header: %w", err)
	}
	name, server, sessions := slices.Index(header, "pxname"), slices.Index(header, "svname"), slices.Index(header, "scur")
	if name < 0 || server < 0 || sessions < 0 {
		return 0, errors.New("CSV header lacks one of the columns pxname, svname and scur")
	}
	var others []string
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return 0, noBackend(backend, others)
		}
		if err != nil {
			return 0, fmt.Errorf("read CSV statistics: %w", err)
		}
		if max(name, server, sessions) >= len(row) || row[server] != "BACKEND" {
			continue
		}
		if row[name] == backend {
			return parseSessions(row[sessions], backend)
		}
		if len(others) <= maxBackendsShown {
			others = append(others, strings.Clone(row[name]))
		}
	}
}

func parseSessions(field, backend string) (uint64, error) {
	n, err := strconv.ParseUint(field, 10, 64)
	if err != nil || n > MaxActive {
		return 0, fmt.Errorf("scur of backend %q is %s, want a count of sessions", backend, quoteShort(field))
	}
	return n, nil
}

func noBackend(backend string, others []string) error {
	switch {
	case len(others) == 0:
		return fmt.Errorf("no BACKEND row for %q, nor any other", backend)
	case len(others) > maxBackendsShown:
		others[maxBackendsShown] = "..."
	}
	return fmt.Errorf("no BACKEND row for %q; there are: %s", backend, strings.Join(others, ", "))
}

func firstLine(page []byte) string {
	line, _, _ := bytes.Cut(page, []byte("\n"))
	return string(bytes.TrimSpace(line[:min(len(line), 4*maxShown)]))
}
