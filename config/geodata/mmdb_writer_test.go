package geodata

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"testing"
)

// mmdbWriter makes MaxMind DB files for tests: https://maxmind.github.io/MaxMind-DB/. Addresses are placed in a tree of
// IPv6, IPv4 below ::/96, and reachable by the usual aliases.
type mmdbWriter struct {
	kind  string
	nodes [][2]int // a child: a node, none, or data as -2-offset
	data  bytes.Buffer
}

const mmdbNone = -1

func newMMDB(kind string) *mmdbWriter {
	return &mmdbWriter{kind: kind, nodes: [][2]int{{mmdbNone, mmdbNone}}}
}

// add gives a network data: maps, arrays, strings, floats and unsigned numbers.
func (w *mmdbWriter) add(t testing.TB, network string, value any) {
	t.Helper()
	offset := w.data.Len()
	encodeMMDB(&w.data, value)
	p := netip.MustParsePrefix(network)
	bits, octets := p.Bits(), p.Addr().As16()
	if p.Addr().Is4() {
		bits += 96
		octets[10], octets[11] = 0, 0
	}
	at := 0
	for i := range bits {
		side := int(octets[i/8] >> (7 - i%8) & 1)
		if i == bits-1 {
			w.nodes[at][side] = -2 - offset
			return
		}
		if w.nodes[at][side] < 0 {
			w.nodes = append(w.nodes, [2]int{mmdbNone, mmdbNone})
			w.nodes[at][side] = len(w.nodes) - 1
		}
		at = w.nodes[at][side]
	}
}

// alias makes a network lead to where ::/96 leads.
func (w *mmdbWriter) alias(network string) {
	ipv4 := 0
	for range 96 {
		ipv4 = w.nodes[ipv4][0]
	}
	p := netip.MustParsePrefix(network)
	octets, at := p.Addr().As16(), 0
	for i := range p.Bits() {
		side := int(octets[i/8] >> (7 - i%8) & 1)
		if i == p.Bits()-1 {
			w.nodes[at][side] = ipv4
			return
		}
		if w.nodes[at][side] < 0 {
			w.nodes = append(w.nodes, [2]int{mmdbNone, mmdbNone})
			w.nodes[at][side] = len(w.nodes) - 1
		}
		at = w.nodes[at][side]
	}
}

func (w *mmdbWriter) bytes() []byte {
	const separator = 16
	var out bytes.Buffer
	for _, n := range w.nodes {
		for _, child := range n {
			record := uint32(child)
			switch {
			case child == mmdbNone:
				record = uint32(len(w.nodes))
			case child < 0:
				record = uint32(len(w.nodes) + separator + (-2 - child))
			}
			out.Write(binary.BigEndian.AppendUint32(nil, record))
		}
	}
	out.Write(make([]byte, separator))
	out.Write(w.data.Bytes())
	out.WriteString("\xab\xcd\xefMaxMind.com")
	encodeMMDB(&out, map[string]any{
		"node_count": uint32(len(w.nodes)), "record_size": uint32(32), "ip_version": uint32(6), "database_type": w.kind,
		"binary_format_major_version": uint32(2), "binary_format_minor_version": uint32(0), "build_epoch": uint32(1767323045),
		"languages": []any{"en"}, "description": map[string]any{"en": "made for a test"},
	})
	return out.Bytes()
}

// encodeMMDB writes a value of the data section. Sizes stay below 285.
func encodeMMDB(out *bytes.Buffer, value any) {
	control := func(kind, size int) {
		first := size
		if size >= 29 {
			first = 29
		}
		if kind > 7 {
			out.WriteByte(byte(first))
			out.WriteByte(byte(kind - 7))
		} else {
			out.WriteByte(byte(kind<<5 | first))
		}
		if size >= 29 {
			out.WriteByte(byte(size - 29))
		}
	}
	switch v := value.(type) {
	case string:
		control(2, len(v))
		out.WriteString(v)
	case float64:
		control(3, 8)
		out.Write(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
	case uint32:
		control(6, 4)
		out.Write(binary.BigEndian.AppendUint32(nil, v))
	case map[string]any:
		control(7, len(v))
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			encodeMMDB(out, k)
			encodeMMDB(out, v[k])
		}
	case []any:
		control(11, len(v))
		for _, e := range v {
			encodeMMDB(out, e)
		}
	}
}

// city is the data of a City database.
func mmdbCity(continent, country, region, city string, lat, lon float64) map[string]any {
	return map[string]any{
		"continent": map[string]any{"code": continent}, "country": map[string]any{"iso_code": country},
		"city":         map[string]any{"names": map[string]any{"en": city, "de": "anders"}},
		"subdivisions": []any{map[string]any{"iso_code": region}},
		"location":     map[string]any{"latitude": lat, "longitude": lon},
	}
}
