package geodata

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// netscalerMagic is how a file in NetScaler's own format begins; its version follows.
const netscalerMagic = "NSGEO"

var (
	errNoMagic = errors.New(`the file does not begin with NSGEO1.0: is it the right format?`)
	errNoStart = errors.New(`the header does not end: there is no line "Start"`)
)

// netscalerHeader is what the lines before "Start" say.
type netscalerHeader struct {
	seen, started bool
	qualifiers    int // columns of qualifiers; 0: not said
}

// netscaler reads a file in NetScaler's own format: a header, then lines of two addresses, up to six qualifiers, and
// longitude and latitude, in this order.
func (r *reader) netscaler(f File) error {
	var h netscalerHeader
	var how layout
	err := r.eachLine(f.Path, func(line []byte, l *lines) error {
		if !h.started {
			if err := h.line(line); err != nil {
				return err
			}
			how = layout{is6: f.Format == NetScaler6}
			return nil
		}
		columns, err := l.split(line)
		if err != nil {
			return err
		}
		return r.netscalerRow(columns, &h, how.is6)
	})
	if err == nil && !h.started {
		return &FileError{Path: f.Path, Err: errNoStart}
	}
	return err
}

// line takes in a line of the header.
func (h *netscalerHeader) line(line []byte) error {
	if !h.seen {
		if !bytes.HasPrefix(line, []byte(netscalerMagic)) {
			return errNoMagic
		}
		h.seen = true
		return nil
	}
	if strings.EqualFold(string(line), "Start") {
		h.started = true
		return nil
	}
	key, _, ok := strings.Cut(string(line), "=")
	if !ok {
		return fmt.Errorf(`%q in the header; it has KEY=VALUE, and "Start" at its end`, shortened(line))
	}
	if n, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(key)), "qualifier"); ok {
		if len(n) != 1 || n[0] < '1' || n[0] > '0'+MaxQualifiers {
			return fmt.Errorf("%q: qualifiers are numbered from 1 to %d", shortened(line), MaxQualifiers)
		}
		h.qualifiers = max(h.qualifiers, int(n[0]-'0'))
	}
	return nil
}

// netscalerRow takes in a line. With all ten columns there are six qualifiers; with less, as many as the header names.
func (r *reader) netscalerRow(columns [][]byte, h *netscalerHeader, is6 bool) error {
	const addressColumns, coordinateColumns = 2, 2
	qualifiers := MaxQualifiers
	if len(columns) < addressColumns+MaxQualifiers+coordinateColumns && h.qualifiers > 0 {
		qualifiers = h.qualifiers
	}
	most := addressColumns + qualifiers + coordinateColumns
	if len(columns) <= addressColumns || len(columns) > most {
		return fmt.Errorf("%d columns; the format has two addresses, %d qualifiers, longitude and latitude", len(columns), qualifiers)
	}
	from, to, err := addresses(columns[0], columns[1], is6)
	if err != nil {
		return err
	}
	s := Spot{Latitude: Unlocated, Sources: r.source}
	rest := columns[addressColumns:]
	for i := range min(qualifiers, len(rest)) {
		if err := r.qualify(&s, i, rest[i]); err != nil {
			return err
		}
	}
	switch len(rest) - qualifiers {
	case coordinateColumns:
		if err := coordinates(&s, rest[qualifiers+1], rest[qualifiers]); err != nil {
			return err
		}
	case 1:
		return errors.New("a longitude without a latitude")
	}
	if err := r.addContinent(&s); err != nil {
		return err
	}
	spot, err := r.data.spot(s)
	if err != nil {
		return err
	}
	return r.add(from.Is4(), KeyOf(from), KeyOf(to), spot)
}
