package zonetext

import (
	"bytes"
	"math"

	"fairlead/config/zonedata"
)

// Types that are read here; all others are read by miekg/dns.
const (
	typeA     = 1
	typeNS    = 2
	typeCNAME = 5
	typePTR   = 12
	typeMX    = 15
	typeTXT   = 16
	typeAAAA  = 28
	typeSRV   = 33
	typeDNAME = 39
	typeCAA   = 257

	classIN = 1
)

// A plain character stands for itself in a name or word: it needs no escape, ends nothing, and starts nothing special. The
// tables hold 0 for all others; the dot is among the plain ones.
var (
	plain      = plainCharacters(false)
	plainLower = plainCharacters(true)
)

func plainCharacters(lower bool) (table [256]byte) {
	for c := byte('!'); c <= '~'; c++ {
		switch {
		case bytes.IndexByte([]byte(`"();\@$`), c) >= 0:
		case lower && c >= 'A' && c <= 'Z':
			table[c] = c + 'a' - 'A'
		default:
			table[c] = c
		}
	}
	return table
}

// plainLine reads the line at r.file.at if it is blank or a common record, and returns the offset behind it. -1: it must be
// read by entry; nothing has happened then.
func (r *Reader) plainLine() int {
	text, p := r.file.text, r.file.at
	switch c := text[p]; {
	case c == ' ' || c == '\t':
		p = skipBlanks(text, p)
		if end := lineEnd(text, p); end >= 0 {
			return end
		}
		if r.owner().n == 0 {
			return -1
		}
		return r.plainRecord(p, r.current)
	case c == '\n' || c == ';' || c == '\r':
		return lineEnd(text, p)
	}
	next := 1 - r.current
	p = plainName(&r.names[next], &plainLower, r.lowered.octets(), text, p)
	if p < 0 || p == len(text) || text[p] != ' ' && text[p] != '\t' {
		return -1
	}
	return r.plainRecord(skipBlanks(text, p), next)
}

// plainRecord reads a record's line from behind its owner, which is names[owner].
func (r *Reader) plainRecord(p, owner int) int {
	text := r.file.text
	ttl, hasTTL, stated, class := r.ttl, r.hasTTL, false, false
	var rrtype uint16
	for rrtype == 0 {
		q := p
		for q < len(text) && plain[text[q]] != 0 {
			q++
		}
		if q == p || q == len(text) || text[q] != ' ' && text[q] != '\t' {
			return -1
		}
		word := text[p:q]
		p = skipBlanks(text, q)
		switch {
		case word[0] >= '0' && word[0] <= '9' && !stated:
			if ttl, stated = parseTTL(word); !stated {
				return -1
			}
			hasTTL = true
		case len(word) == 2 && word[0]|0x20 == 'i' && word[1]|0x20 == 'n' && !class:
			class = true
		default:
			if rrtype = plainType(word); rrtype == 0 {
				return -1
			}
		}
	}
	if !hasTTL {
		return -1
	}
	data, p := r.plainData(rrtype, p)
	if p < 0 {
		return -1
	}
	end := lineEnd(text, skipBlanks(text, p))
	if end < 0 {
		return -1
	}
	r.data, r.current = data, owner
	if stated && !r.fixedTTL {
		r.ttl, r.hasTTL = ttl, true
	}
	r.put(classIN, rrtype, ttl, data)
	return end
}

func skipBlanks(text []byte, p int) int {
	for p < len(text) && (text[p] == ' ' || text[p] == '\t') {
		p++
	}
	return p
}

// lineEnd returns the offset behind a line that has nothing more than a comment at p, or -1.
func lineEnd(text []byte, p int) int {
	if p == len(text) {
		return p
	}
	switch text[p] {
	case '\n':
		return p + 1
	case '\r':
		if p+1 < len(text) && text[p+1] == '\n' {
			return p + 2
		}
	case ';':
		if n := bytes.IndexByte(text[p:], '\n'); n >= 0 {
			return p + n + 1
		}
		return len(text)
	}
	return -1
}

// ends reports whether a word that reached p ends there.
func ends(text []byte, p int) bool {
	if p == len(text) {
		return true
	}
	c := text[p]
	return c == ' ' || c == '\t' || c == '\n' || c == ';' || c == '\r' && p+1 < len(text) && text[p+1] == '\n'
}

// plainName reads a name of plain characters, or "@", into dst, with the characters that the table gives for its own, and
// returns the offset behind it. -1: it is not plain, or malformed.
func plainName(dst *wireName, table *[256]byte, origin, text []byte, p int) int {
	if p == len(text) {
		return -1
	}
	if text[p] == '@' || text[p] == '.' {
		if !ends(text, p+1) {
			return -1
		}
		if dst.n = 1; text[p] == '@' {
			dst.set(origin)
		} else {
			dst.b[0] = 0
		}
		return p + 1
	}
	label, n := 0, 1 // offsets in dst of the length octet, and of what comes next
	c := byte(0)
	for ; p < len(text) && n < zonedata.MaxNameOctets; p++ {
		if c = table[text[p]]; c == 0 {
			break
		}
		if c == '.' {
			if n-label-1 == 0 || n-label-1 > 63 {
				return -1
			}
			dst.b[label] = byte(n - label - 1)
			label = n
		} else {
			dst.b[n] = c
		}
		n++
	}
	if !ends(text, p) {
		return -1
	}
	length := n - label - 1
	switch {
	case length == 0 && label > 0: // it ended with a dot
		dst.b[label] = 0
		dst.n = n
		return p
	case length == 0 || length > 63 || n+len(origin) > zonedata.MaxNameOctets:
		return -1
	}
	dst.b[label] = byte(length)
	dst.n = n + copy(dst.b[n:], origin)
	return p
}

func lower(b []byte) {
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
}

// parseTTL reads seconds, or a duration such as 1h30m.
func parseTTL(word []byte) (uint32, bool) {
	const most = 1 << 40 // more than any TTL; nothing below it can overflow
	if len(word) == 0 {
		return 0, false
	}
	var sum, n uint64
	for _, c := range word {
		unit := uint64(0)
		switch c | 0x20 {
		case 's':
			unit = 1
		case 'm':
			unit = 60
		case 'h':
			unit = 3600
		case 'd':
			unit = 86400
		case 'w':
			unit = 7 * 86400
		}
		switch {
		case unit != 0:
			sum, n = sum+n*unit, 0
		case c >= '0' && c <= '9':
			n = 10*n + uint64(c-'0')
		default:
			return 0, false
		}
		if n > most || sum > most {
			return 0, false
		}
	}
	if sum += n; sum > math.MaxUint32 {
		return 0, false
	}
	return uint32(sum), true
}

// plainType returns the number of a type that is read here, 0 for others.
func plainType(word []byte) uint16 {
	switch string(word) {
	case "A", "a":
		return typeA
	case "AAAA", "aaaa":
		return typeAAAA
	case "CNAME", "cname":
		return typeCNAME
	case "TXT", "txt":
		return typeTXT
	case "NS", "ns":
		return typeNS
	case "MX", "mx":
		return typeMX
	case "PTR", "ptr":
		return typePTR
	case "SRV", "srv":
		return typeSRV
	case "CAA", "caa":
		return typeCAA
	case "DNAME", "dname":
		return typeDNAME
	}
	return 0
}
