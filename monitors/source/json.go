package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"fairlead/monitors/metric"
	"fairlead/monitors/reason"
)

// Limits of a JSON load source.
const (
	maxJSONDepth    = 64 // of objects and arrays in each other
	maxPathSegments = maxJSONDepth
	maxPaths        = 63 // in one document: a bit each
)

// jsonNumbers reads the non-negative numbers at paths, of which there are at most maxPaths: JSON numbers or strings that
// hold one. A path that leads to none has its error; a document that is not valid is an error of all.
//
// A path is made of names and array indexes: "load.active", "pools.0.active" or "pools[0].active". An empty path means
// that the document itself is the number. The document is read as a stream, once, and must be valid to its end; of keys
// that occur twice the first counts.
func jsonNumbers(document io.Reader, paths []string) ([]jsonNumber, error) {
	if len(paths) > maxPaths {
		return nil, fmt.Errorf("%d paths are above the limit of %d", len(paths), maxPaths)
	}
	dec := json.NewDecoder(document)
	dec.UseNumber()
	w := &jsonWalk{dec: dec, wanted: make([]wanted, len(paths))}
	for i, path := range paths {
		var err error
		if w.wanted[i].path, err = parsePath(path); err != nil {
			return nil, err
		}
	}
	if err := w.value(0, 1<<len(paths)-1); isBroken(err) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("answer is not valid JSON: %w", err)
	}
	if _, err := dec.Token(); isBroken(err) {
		return nil, err
	} else if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("answer is not valid JSON: more data after the value at byte %d", dec.InputOffset())
	}
	out := make([]jsonNumber, len(paths))
	for i := range out {
		out[i] = w.wanted[i].number(paths[i])
	}
	return out, nil
}

// jsonNumber is what a path led to.
type jsonNumber struct {
	value float64
	err   error
	great float64 // with an error: a number that is too great for all but totals
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

// wanted is a path, and what was found at its end.
type wanted struct {
	path  []segment
	text  string
	found bool
	miss  error // why the path leads nowhere
}

// number returns the outcome for the path, which was written as text.
func (w *wanted) number(path string) jsonNumber {
	switch {
	case w.miss != nil:
		return jsonNumber{err: fmt.Errorf("path %q: %w", path, w.miss)}
	case !w.found:
		return jsonNumber{err: fmt.Errorf("path %q: not in the answer", path)}
	}
	v, err := parseNumber(w.text)
	if err != nil {
		return jsonNumber{great: v, err: fmt.Errorf("value at path %q: %w", path, err)}
	}
	return jsonNumber{value: v}
}

// jsonWalk goes through a whole document and keeps the values at the ends of paths. A set of paths is a bit each.
type jsonWalk struct {
	dec    *json.Decoder
	wanted []wanted
}

// value reads one value that lies depth steps down; on are the paths whose steps these were.
func (w *jsonWalk) value(depth int, on uint64) error {
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
	}
	w.each(on, func(_ uint64, p *wanted) { p.scalar(token, depth) })
	return nil
}

// each calls do for every path of a set.
func (w *jsonWalk) each(set uint64, do func(bit uint64, p *wanted)) {
	for ; set != 0; set &= set - 1 {
		do(set&-set, &w.wanted[bits.TrailingZeros64(set)])
	}
}

func (w *jsonWalk) object(depth int, on uint64) error {
	more := w.step(depth, on, "an object")
	w.each(more, func(bit uint64, p *wanted) {
		if p.path[depth].only {
			p.miss = fmt.Errorf("%s is an object, not an array", p.place(depth))
			more &^= bit
		}
	})
	for w.dec.More() {
		key, err := w.dec.Token()
		if err != nil {
			return w.syntax(err)
		}
		var match uint64
		w.each(more, func(bit uint64, p *wanted) {
			if key == p.path[depth].name {
				match |= bit
			}
		})
		more &^= match
		if err := w.value(depth+1, match); err != nil {
			return err
		}
	}
	w.each(more, func(_ uint64, p *wanted) {
		p.miss = fmt.Errorf("%s has no key %q", p.place(depth), p.path[depth].name)
	})
	return w.end()
}

func (w *jsonWalk) array(depth int, on uint64) error {
	more := w.step(depth, on, "an array")
	w.each(more, func(bit uint64, p *wanted) {
		if p.path[depth].index < 0 {
			p.miss = fmt.Errorf("%s is an array, want an index instead of %q", p.place(depth), p.path[depth].name)
			more &^= bit
		}
	})
	length := 0
	for ; w.dec.More(); length++ {
		var match uint64
		w.each(more, func(bit uint64, p *wanted) {
			if p.path[depth].index == length {
				match |= bit
			}
		})
		more &^= match
		if err := w.value(depth+1, match); err != nil {
			return err
		}
	}
	w.each(more, func(_ uint64, p *wanted) {
		p.miss = fmt.Errorf("%s has %d elements, no [%d]", p.place(depth), length, p.path[depth].index)
	})
	return w.end()
}

// step returns the paths of on that go on below this value. For those that end here it is not a number.
func (w *jsonWalk) step(depth int, on uint64, kind string) uint64 {
	w.each(on, func(bit uint64, p *wanted) {
		if depth == len(p.path) {
			p.miss = fmt.Errorf("%s is %s, not a number", p.place(depth), kind)
			on &^= bit
		}
	})
	return on
}

// scalar takes in a value on the path that is neither object nor array.
func (w *wanted) scalar(token json.Token, depth int) {
	if depth < len(w.path) {
		w.miss = fmt.Errorf("%s is a plain value, it has no %q", w.place(depth), w.path[depth].String())
		return
	}
	switch v := token.(type) {
	case json.Number:
		w.text, w.found = v.String(), true
	case string:
		w.text, w.found = strings.TrimSpace(v), true
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
	if isBroken(err) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it ends early, at byte %d", w.dec.InputOffset())
	}
	return fmt.Errorf("%w at byte %d", err, w.dec.InputOffset())
}

// place names the first depth steps of the path, for errors.
func (w *wanted) place(depth int) string {
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

// parseNumber reads a number that can be a metric. With the error of one that is too great for all but totals it returns the number.
func parseNumber(s string) (float64, error) {
	f := math.NaN()
	if s != "" && strings.Trim(s, "0123456789.eE+-") == "" { // not "Inf", not "0x10"
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			f = v
		}
	}
	switch {
	case math.IsNaN(f):
		return 0, fmt.Errorf("%s is not a number", reason.Quote(s))
	case !metric.InRange(f):
		if !(f > 0 && f <= maxTotal) {
			f = 0
		}
		return f, fmt.Errorf("%s is not between 0 and 2^53", reason.Quote(s))
	}
	return math.Abs(f), nil // never -0
}
