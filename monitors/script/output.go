package script

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of what a program writes.
const (
	// MaxLine is how much of the output is kept: of its first line, and of performance data.
	MaxLine = 4 << 10
	// MaxValues is how many numbers of the performance data are kept.
	MaxValues = 32

	maxOutput = 1 << 20 // all that is read of a stream; a program that goes on finds it closed
	maxLabel  = 64
	maxUnit   = 16
)

// capture reads a stream of a program: it keeps the beginning and drops the rest.
type capture struct {
	from    *os.File
	text    []byte
	flooded bool
}

// drain reads until the end, the limit, or the deadline of the stream, and closes it.
func (c *capture) drain() {
	defer c.from.Close()
	buf := make([]byte, MaxLine)
	for read := 0; ; {
		n, err := c.from.Read(buf)
		c.text = append(c.text, buf[:min(n, MaxLine-len(c.text))]...)
		if err != nil {
			return
		}
		if read += n; read > maxOutput {
			c.flooded = true
			return
		}
	}
}

// split returns the first line of an output, and the performance data: what stands behind the "|" in that line, and all that stands behind
// the "|" in a later one, to the end.
func split(text []byte) (line, data string) {
	if bar := bytes.IndexByte(text, '|'); bar >= 0 && len(text) >= MaxLine { // the last number may lack its end
		text = text[:max(bar, bytes.LastIndexAny(text, blanks))]
	}
	line, rest, _ := strings.Cut(strings.TrimLeft(strings.ToValidUTF8(string(text), "?"), "\r\n"), "\n")
	line, data, _ = strings.Cut(line, "|")
	_, more, _ := strings.Cut(rest, "|")
	return strings.TrimSpace(line), data + "\n" + more
}

// blanks stand between performance data.
const blanks = " \t\r\n"

// parsePerformance reads performance data: 'label'=value[unit][;warn[;crit[;min[;max]]]], with spaces between them. A label in quotes may have
// spaces; a quote in it stands twice. What is malformed, or not a number, is left out.
func parsePerformance(data string) []Value {
	var out []Value
	for len(out) < MaxValues {
		data = strings.TrimLeft(data, blanks)
		if data == "" {
			break
		}
		label, rest, ok := performanceLabel(data)
		field := rest
		if end := strings.IndexAny(rest, blanks); end >= 0 {
			field = rest[:end]
		}
		data = rest[len(field):]
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(field, ";")
		if v, ok := performanceValue(number); ok && label != "" {
			v.Name = shortened(label, maxLabel)
			out = append(out, v)
		}
	}
	return out
}

// performanceLabel reads a label and its "=". Without one, rest is what is to be skipped.
func performanceLabel(data string) (label, rest string, ok bool) {
	if data[0] != '\'' {
		label, rest, ok = strings.Cut(data, "=")
		if !ok || strings.ContainsAny(label, blanks) {
			return "", data, false
		}
		return label, rest, true
	}
	var b strings.Builder
	for i := 1; i < len(data); i++ {
		if data[i] != '\'' {
			b.WriteByte(data[i])
			continue
		}
		if i+1 < len(data) && data[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		rest, ok = strings.CutPrefix(data[i+1:], "=")
		return b.String(), rest, ok
	}
	return "", data[1:], false
}

// performanceValue reads a number and the unit behind it. "U" is none: the plugin could not find it out.
func performanceValue(text string) (Value, bool) {
	end := 0
	for end < len(text) && strings.IndexByte("+-.0123456789", text[end]) >= 0 {
		end++
	}
	if end < len(text)-1 && (text[end] == 'e' || text[end] == 'E') { // an exponent, unless it begins the unit
		digits := end + 1
		if text[digits] == '+' || text[digits] == '-' {
			digits++
		}
		last := digits
		for last < len(text) && text[last] >= '0' && text[last] <= '9' {
			last++
		}
		if last > digits {
			end = last
		}
	}
	n, err := strconv.ParseFloat(text[:end], 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return Value{}, false
	}
	return Value{Value: n, Unit: shortened(text[end:], maxUnit)}, true
}

// shortened cuts s to at most limit bytes, between characters.
func shortened(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
