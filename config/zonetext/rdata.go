package zonetext

import (
	"encoding/binary"
	"math"
	"net/netip"
)

// plainData reads the data of a type that plainType knows and returns it with the offset behind it. -1: it is not plain, or
// malformed.
func (r *Reader) plainData(rrtype uint16, p int) (data []byte, end int) {
	text, data := r.file.text, r.data[:0]
	numbers := 0
	switch rrtype {
	case typeA:
		return plainIPv4(data, text, p)
	case typeAAAA:
		return plainIPv6(data, text, p)
	case typeTXT:
		return plainStrings(data, text, p)
	case typeCAA:
		return plainCAA(data, text, p)
	case typeMX:
		numbers = 1
	case typeSRV:
		numbers = 3
	}
	for range numbers {
		n, end := plainNumber(text, p, math.MaxUint16)
		if end < 0 || end == len(text) || text[end] != ' ' && text[end] != '\t' {
			return nil, -1
		}
		data = binary.BigEndian.AppendUint16(data, uint16(n))
		p = skipBlanks(text, end)
	}
	var name wireName
	if p = plainName(&name, &plain, r.origin.octets(), text, p); p < 0 {
		return nil, -1
	}
	return append(data, name.octets()...), p
}

// plainNumber reads a decimal number of at most five digits.
func plainNumber(text []byte, p, most int) (n, end int) {
	start := p
	for ; p < len(text) && text[p] >= '0' && text[p] <= '9' && p-start < 5; p++ {
		n = 10*n + int(text[p]-'0')
	}
	if p == start || n > most {
		return 0, -1
	}
	return n, p
}

func plainIPv4(data, text []byte, p int) ([]byte, int) {
	for i := range 4 {
		start, n := p, 0
		for ; p < len(text) && text[p] >= '0' && text[p] <= '9' && p-start < 3; p++ {
			n = 10*n + int(text[p]-'0')
		}
		if p == start || n > math.MaxUint8 || p-start > 1 && text[start] == '0' {
			return nil, -1
		}
		data = append(data, byte(n))
		if i < 3 {
			if p == len(text) || text[p] != '.' {
				return nil, -1
			}
			p++
		}
	}
	if !ends(text, p) {
		return nil, -1
	}
	return data, p
}

func plainIPv6(data, text []byte, p int) ([]byte, int) {
	const longest = 45
	q := p
	for q < len(text) && q-p <= longest && plain[text[q]] != 0 {
		q++
	}
	if !ends(text, q) {
		return nil, -1
	}
	a, err := netip.ParseAddr(string(text[p:q]))
	if err != nil || !a.Is6() || a.Zone() != "" {
		return nil, -1
	}
	b := a.As16()
	return append(data, b[:]...), q
}

// plainString reads one word or quoted text without escapes, of at most 255 octets, and appends it.
func plainString(data, text []byte, p int) ([]byte, int) {
	q := p
	if p < len(text) && text[p] == '"' {
		p++
		for q = p; q < len(text) && text[q] != '"'; q++ {
			if text[q] == '\\' || text[q] == '\n' {
				return nil, -1
			}
		}
		if q == len(text) || q-p > math.MaxUint8 || !ends(text, q+1) {
			return nil, -1
		}
		return append(data, text[p:q]...), q + 1
	}
	for q < len(text) && plain[text[q]] != 0 {
		q++
	}
	if q == p || q-p > math.MaxUint8 || !ends(text, q) {
		return nil, -1
	}
	return append(data, text[p:q]...), q
}

func plainStrings(data, text []byte, p int) ([]byte, int) {
	for {
		at := len(data)
		var end int
		if data, end = plainString(append(data, 0), text, p); end < 0 || len(data) > math.MaxUint16 {
			return nil, -1
		}
		data[at] = byte(len(data) - at - 1)
		p = skipBlanks(text, end)
		if lineEnd(text, p) >= 0 {
			return data, p
		}
	}
}

func plainCAA(data, text []byte, p int) ([]byte, int) {
	flags, end := plainNumber(text, p, math.MaxUint8)
	if end < 0 || end == len(text) || text[end] != ' ' && text[end] != '\t' {
		return nil, -1
	}
	p = skipBlanks(text, end)
	for end = p; end < len(text) && plain[text[end]] != 0; end++ {
	}
	if end == p || end-p > math.MaxUint8 || end == len(text) || text[end] != ' ' && text[end] != '\t' {
		return nil, -1
	}
	data = append(data, byte(flags), byte(end-p))
	return plainString(append(data, text[p:end]...), text, skipBlanks(text, end))
}
