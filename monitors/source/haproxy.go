package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/reason"
)

const (
	maxBackendsShown = 5    // names in an error
	maxFirstLine     = 1024 // bytes that tell one form of an answer from another
)

// readHAProxy reads a backend from what HAProxy tells of itself, in any of its forms: the CSV statistics (management guide, 9.1),
// the typed JSON of the same table, or the page of its Prometheus exporter. The first bytes say which.
func readHAProxy(page io.Reader, src *config.LoadSource) (Reading, error) {
	r := bufio.NewReaderSize(page, maxLine)
	first, err := beginning(r)
	switch {
	case err != nil:
		return Reading{}, err
	case bytes.HasPrefix(first, []byte("# HELP ")), bytes.HasPrefix(first, []byte("# TYPE ")):
		return readHAProxyMetrics(r, src)
	case bytes.HasPrefix(first, []byte("#")):
		return readHAProxyCSV(r, src)
	case bytes.HasPrefix(first, []byte("[")):
		return readHAProxyJSON(r, src)
	}
	return Reading{}, fmt.Errorf("answer is not CSV statistics but starts with %s: does the url end in ;csv, ;json or the path of the metrics?",
		reason.Quote(firstLine(first)))
}

// beginning skips white space and a byte order mark, and shows what comes then: a line, or as much of one as is looked at.
func beginning(r *bufio.Reader) ([]byte, error) {
	for {
		first, err := r.Peek(3)
		if len(first) == 0 && !errors.Is(err, io.EOF) {
			return nil, err
		}
		switch skip := len(first) - len(bytes.TrimLeft(first, " \t\r\n")); {
		case skip > 0:
			_, _ = r.Discard(skip)
		case bytes.Equal(first, []byte("\ufeff")):
			_, _ = r.Discard(len(first))
		default:
			if first, err = r.Peek(maxFirstLine); err != nil && !errors.Is(err, io.EOF) && len(first) == 0 {
				return nil, err
			}
			return first, nil
		}
	}
}

// haproxyTable takes in the rows of the statistics: one for each frontend, server and backend, the servers of a backend before
// the backend itself.
type haproxyTable struct {
	src    *config.LoadSource
	others []string
	limits serverLimits
	found  bool
	told   Reading
	err    error
}

func (h *haproxyTable) add(row *haproxyRow) {
	server := row.text("svname")
	switch ours := row.text("pxname") == h.src.Backend; {
	case !row.whole() || h.found:
	case ours && server == "BACKEND":
		h.found = true
		h.told, h.err = haproxyAnswer(row, h.src, h.limits)
	case ours && server != "FRONTEND":
		h.limits.add(row)
	case server == "BACKEND" && len(h.others) <= maxBackendsShown:
		h.others = append(h.others, strings.Clone(row.text("pxname")))
	}
}

func (h *haproxyTable) done() (Reading, error) {
	if !h.found {
		return Reading{}, noSuch("BACKEND row for", h.src.Backend, h.others)
	}
	return h.told, h.err
}

// haproxyAnswer takes what the row of the backend tells. A missing count of sessions is an error, since every release has it.
func haproxyAnswer(row *haproxyRow, src *config.LoadSource, limits serverLimits) (Reading, error) {
	out := Reading{Parts: make([]Part, len(src.Custom))}
	sessions, ok := row.number("scur")
	if !ok {
		return Reading{}, fmt.Errorf("scur of backend %q is %s, want a count of sessions", src.Backend, reason.Quote(row.text("scur")))
	}
	out.Set(metric.Active, sessions)
	row.requests(&out.Metrics)
	row.responseTime(&out.Metrics)
	in, err1 := strconv.ParseUint(row.text("bin"), 10, 64)
	sent, err2 := strconv.ParseUint(row.text("bout"), 10, 64)
	if err1 == nil && err2 == nil {
		out.tell(metric.BytesTotal, float64(in)+float64(sent), "bin and bout")
	}
	if active, ok := row.number("act"); ok {
		if backup, ok := row.number("bck"); ok && active == 0 {
			active = backup // the backup servers work only while no other does
		}
		out.Set(metric.Members, active)
	}
	if weight, ok := row.number("weight"); ok {
		out.Set(metric.MemberWeight, weight)
	}
	if limits.all && limits.sum > 0 {
		out.Set(metric.Capacity, min(limits.sum, metric.MaxActive))
	}
	for i := range src.Custom {
		if column := src.Custom[i].Path; column != "" {
			if v, ok := row.number(column); ok {
				out.Parts[i] = Part{v, true}
			} else {
				out.missing(fmt.Errorf("backend %q has no number in column %q", src.Backend, column))
			}
		}
	}
	return out, nil
}

// serverLimits adds up the limits of the servers that work (slim), which is what the backend can carry. The backend's own
// slim is no limit: it is where its servers' limits stop growing (fullconn).
type serverLimits struct {
	sum float64
	all bool // every one of them has a limit
}

func (l *serverLimits) add(row *haproxyRow) {
	if status := row.text("status"); !strings.HasPrefix(status, "UP") && status != "no check" {
		return
	}
	if backup, ok := row.number("bck"); ok && backup > 0 {
		return
	}
	limit, ok := row.number("slim")
	l.all = l.all && ok
	l.sum += limit
}

// haproxyRow is a row of the statistics.
type haproxyRow struct{ header, fields []string }

func (r *haproxyRow) has(column string) bool { return slices.Contains(r.header, column) }

// whole reports whether the row has the columns that every row must have.
func (r *haproxyRow) whole() bool {
	return max(slices.Index(r.header, "pxname"), slices.Index(r.header, "svname"), slices.Index(r.header, "scur")) < len(r.fields)
}

func (r *haproxyRow) text(column string) string {
	if i := slices.Index(r.header, column); i >= 0 && i < len(r.fields) {
		return r.fields[i]
	}
	return ""
}

func (r *haproxyRow) number(column string) (float64, bool) {
	v, err := strconv.ParseUint(r.text(column), 10, 64)
	return float64(v), err == nil && v <= metric.MaxActive
}

// requests takes the count of requests; a backend in TCP mode has sessions only.
func (r *haproxyRow) requests(m *metric.Metrics) {
	for _, column := range []string{"req_tot", "stot"} {
		if v, ok := r.number(column); ok {
			m.Set(metric.RequestsTotal, v)
			return
		}
	}
}

// responseTime takes the mean time to the first byte of the last 1,024 requests: in the queue, to connect, and until the
// answer began. It is 0 in TCP mode, and while there was no request.
func (r *haproxyRow) responseTime(m *metric.Metrics) {
	requests, counted := r.number("req_tot")
	response, ok := r.number("rtime")
	if !ok || counted && requests == 0 || !counted && response == 0 {
		return
	}
	queue, _ := r.number("qtime")
	connect, _ := r.number("ctime")
	m.Set(metric.ResponseTime, (queue+connect+response)/1000)
}

// noSuch is the error of a name that is not in an answer, with some of those that are.
func noSuch(what, name string, others []string) error {
	switch {
	case len(others) == 0:
		return fmt.Errorf("no %s %q, nor any other", what, name)
	case len(others) > maxBackendsShown:
		others = append(slices.Clone(others[:maxBackendsShown]), "...")
	}
	return fmt.Errorf("no %s %q; there are: %s", what, name, strings.Join(others, ", "))
}

func firstLine(page []byte) string {
	line, _, _ := bytes.Cut(page, []byte("\n"))
	return string(bytes.TrimSpace(line[:min(len(line), 160)]))
}
