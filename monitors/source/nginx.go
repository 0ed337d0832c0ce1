package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/reason"
)

// maxStubStatus bounds the page of stub_status, which has four lines.
const maxStubStatus = 1 << 20

// readNGINX reads NGINX's stub_status (ngx_http_stub_status_module):
//
//	Active connections: 291
//	server accepts handled requests
//	 16630948 16630948 31070465
//	Reading: 6 Writing: 179 Waiting: 106
//
// The connection that is asked on is one of the active ones, and is taken off.
func readNGINX(page io.Reader, src *config.LoadSource) (Reading, error) {
	numbers, err := stubStatus(page)
	if err != nil {
		return Reading{}, err
	}
	out := Reading{Parts: make([]Part, len(src.Custom))}
	out.tell(metric.Active, max(numbers["active"]-1, 0), "active connections")
	out.tell(metric.RequestsTotal, numbers["requests"], "requests")
	for _, i := range customPaths(src) {
		name := src.Custom[i].Path
		value, ok := numbers[name]
		if !ok {
			out.missing(fmt.Errorf("stub_status has no number %q", name))
			continue
		}
		if name == "writing" {
			value = max(value-1, 0)
		}
		out.part(i, value, name)
	}
	return out, nil
}

// stubStatus returns the numbers of the page by their names in small letters.
func stubStatus(page io.Reader) (map[string]float64, error) {
	lines := bufio.NewScanner(page)
	out := make(map[string]float64)
	var columns []string
	for lines.Scan() && len(out) < 16 {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 0:
		case len(words) == 3 && words[0] == "Active" && words[1] == "connections:":
			out["active"] = number(words[2])
		case len(out) == 0:
			return nil, fmt.Errorf("answer is not stub_status but starts with %s", reason.Quote(strings.Join(words, " ")))
		case words[0] == "server":
			columns = words[1:]
		case strings.HasSuffix(words[0], ":"):
			for i := 0; i+1 < len(words); i += 2 {
				out[strings.ToLower(strings.TrimSuffix(words[i], ":"))] = number(words[i+1])
			}
		default:
			for i, name := range columns[:min(len(columns), len(words))] {
				out[name] = number(words[i])
			}
			columns = nil
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("answer is not stub_status: it has a line above %d KiB", bufio.MaxScanTokenSize>>10)
	} else if err != nil {
		return nil, err
	}
	for _, name := range []string{"active", "requests"} {
		if v, ok := out[name]; !ok || math.IsNaN(v) {
			return nil, fmt.Errorf("answer is not stub_status: it lacks the number of %s", name)
		}
	}
	return out, nil
}

// number reads a count; what is none is NaN.
func number(text string) float64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return math.NaN()
	}
	return float64(n)
}
