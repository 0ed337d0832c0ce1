package monitors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Limits of a JSON load source.
const (
	maxJSONDepth    = 64 // of objects and arrays in each other
	maxPathSegments = maxJSONDepth
)

// jsonNumber reads the non-negative number at path: a JSON number or a string that holds one, rounded to a whole one.
//
// A path is made of names and array indexes: "load.active", "pools.0.active" or "pools[0].active". An empty path means
// that the document itself is the number. The document is read as a stream and must be valid to its end; of keys that
// occur twice the first counts.
func jsonNumber(document []byte, path string) (uint64, error) {
	segments, err := parsePath(path)
	if err != nil {
		return 0, err
	}
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.UseNumber()
	w := &jsonWalk{dec: dec, path: segments}
	if err := w.value(0, true); err != nil {
		return 0, fmt.Errorf("answer is not valid JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("answer is not valid JSON: more data after the value at byte %d", dec.InputOffset())
	}
	switch {
	case w.miss != nil:
		return 0, fmt.Errorf("path %q: %w", path, w.miss)
	case !w.found:
		return 0, fmt.Errorf("path %q: not in the answer", path)
	}
	n, err := parseActive(w.number)
	if err != nil {
		return 0, fmt.Errorf("value at path %q: %w", path, err)
	}
	return n, nil
}

// segment is one step of a path: a name, an index, or a numeric name that is either.
type segment struct {
	name  string
	index int // -1: not an index
	only  bool
}

func (s segment) String() string {
	if s.only {
		return "[" + strconv.Itoa(s.index) + "]"
	}
	return s.name
}

func parsePath(path string) ([]segment, error) {
	if path == "" {
		return nil, nil
	}
	var out []segment
	for part := range strings.SplitSeq(path, ".") {
		name, indexes, bracketed := strings.Cut(part, "[")
		if name == "" && !bracketed {
			return nil, fmt.Errorf("path %q has an empty step", path)
		}
		if name != "" {
			out = append(out, segment{name: name, index: parseIndex(name)})
		}
		for bracketed {
			var inside string
			inside, indexes, bracketed = strings.Cut(indexes, "]")
			n := parseIndex(inside)
			if !bracketed || n < 0 {
				return nil, fmt.Errorf("path %q: want a number between brackets, as in pools[0]", path)
			}
			out = append(out, segment{index: n, only: true})
			if indexes == "" {
				break
			}
			var between string
			between, indexes, bracketed = strings.Cut(indexes, "[")
			if between != "" || !bracketed {
				return nil, fmt.Errorf("path %q: want a dot after a bracket, as in pools[0].active", path)
			}
		}
		if len(out) > maxPathSegments {
			return nil, fmt.Errorf("path %q has more than %d steps", path, maxPathSegments)
		}
	}
	return out, nil
}

// parseIndex reads an array index, -1 when s is none.
func parseIndex(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}

// jsonWalk goes through a whole document and keeps the value at path.
type jsonWalk struct {
	dec    *json.Decoder
	path   []segment
	number string
	found  bool
	miss   error // why the path leads nowhere
}

// value reads one value that lies depth steps down; on says that these steps were the path's.
func (w *jsonWalk) value(depth int, on bool) error {
	token, err := w.dec.Token()
	if err != nil {
		return w.syntax(err)
	}
	delim, nested := token.(json.Delim)
	if nested && depth >= maxJSONDepth {
		return fmt.Errorf("nested more than %d deep at byte %d", maxJSONDepth, w.dec.InputOffset())
	}
	switch {
	case nested && delim == '{':
		return w.object(depth, on)
	case nested:
		return w.array(depth, on)
	case on:
		w.scalar(token, depth)
	}
	return nil
}

func (w *jsonWalk) object(depth int, on bool) error {
	seg, more := w.step(depth, on, "an object")
	if more && seg.only {
		w.miss = fmt.Errorf("%s is an object, not an array", w.place(depth))
		more = false
	}
	seen := false
	for w.dec.More() {
		key, err := w.dec.Token()
		if err != nil {
			return w.syntax(err)
		}
		match := more && !seen && key == seg.name
		seen = seen || match
		if err := w.value(depth+1, match); err != nil {
			return err
		}
	}
	if more && !seen {
		w.miss = fmt.Errorf("%s has no key %q", w.place(depth), seg.name)
	}
	return w.end()
}

func (w *jsonWalk) array(depth int, on bool) error {
	seg, more := w.step(depth, on, "an array")
	if more && seg.index < 0 {
		w.miss = fmt.Errorf("%s is an array, want an index instead of %q", w.place(depth), seg.name)
		more = false
	}
	length := 0
	for ; w.dec.More(); length++ {
		if err := w.value(depth+1, more && length == seg.index); err != nil {
			return err
		}
	}
	if more && seg.index >= length {
		w.miss = fmt.Errorf("%s has %d elements, no [%d]", w.place(depth), length, seg.index)
	}
	return w.end()
}

// step returns the path's next segment, if the value is on the path and the path goes on.
func (w *jsonWalk) step(depth int, on bool, kind string) (segment, bool) {
	if on && depth == len(w.path) {
		w.miss = fmt.Errorf("%s is %s, not a number", w.place(depth), kind)
	}
	if !on || depth >= len(w.path) {
		return segment{}, false
	}
	return w.path[depth], true
}

// scalar takes in a value on the path that is neither object nor array.
func (w *jsonWalk) scalar(token json.Token, depth int) {
	if depth < len(w.path) {
		w.miss = fmt.Errorf("%s is a plain value, it has no %q", w.place(depth), w.path[depth].String())
		return
	}
	switch v := token.(type) {
	case json.Number:
		w.number, w.found = v.String(), true
	case string:
		w.number, w.found = strings.TrimSpace(v), true
	default:
		w.miss = fmt.Errorf("%s is %v, not a number", w.place(depth), v)
	}
}

// end reads the closing bracket.
func (w *jsonWalk) end() error {
	if _, err := w.dec.Token(); err != nil {
		return w.syntax(err)
	}
	return nil
}

func (w *jsonWalk) syntax(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it ends early, at byte %d", w.dec.InputOffset())
	}
	return fmt.Errorf("%w at byte %d", err, w.dec.InputOffset())
}

// place names the first depth steps of the path, for errors.
func (w *jsonWalk) place(depth int) string {
	if depth == 0 {
		return "the answer"
	}
	var b strings.Builder
	for i, s := range w.path[:depth] {
		if i > 0 && !s.only {
			b.WriteByte('.')
		}
		b.WriteString(s.String())
	}
	return strconv.Quote(b.String())
}

// parseActive reads a count of connections; averages are rounded.
func parseActive(s string) (uint64, error) {
	f := math.NaN()
	if s != "" && strings.Trim(s, "0123456789.eE+-") == "" { // not "Inf", not "0x10"
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			f = v
		}
	}
	switch {
	case math.IsNaN(f):
		return 0, fmt.Errorf("%s is not a number", quoteShort(s))
	case f < 0 || f > MaxActive:
		return 0, fmt.Errorf("%s is not between 0 and 2^53", quoteShort(s))
	}
	return uint64(math.Round(f)), nil
}
