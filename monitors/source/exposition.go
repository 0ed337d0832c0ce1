package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"fairlead/monitors/reason"
)

// Limits of a page of metrics.
const (
	maxLine   = 64 << 10 // bytes of one line
	maxLabels = 64       // of one sample
	// maxSampleAge is how old a sample may be by its timestamp, as long as Prometheus takes one for what is: who collects from others goes
	// on telling what they said last.
	maxSampleAge = 5 * time.Minute
	// leastMillis is the least timestamp that counts milliseconds, as in the Prometheus text format; in OpenMetrics they are seconds.
	leastMillis = 1e11
)

// sample is a line of a page of metrics. Its parts live until the next line is read.
type sample struct {
	name   []byte
	rest   []byte // behind the name: labels, value, timestamp, exemplar
	labels []label
	value  float64
	at     float64 // its timestamp, in seconds since 1970; 0: it has none
}

type label struct{ name, value []byte }

// label returns the value of a label; a sample without it has the empty one.
func (s *sample) label(name string) []byte {
	for i := range s.labels {
		if string(s.labels[i].name) == name {
			return s.labels[i].value
		}
	}
	return nil
}

// eachSample reads a page in the Prometheus text format 0.0.4 or in OpenMetrics 1.0 as a stream. Of samples that wanted says yes to,
// take gets labels and value; the others are passed over without a look at the rest of their line.
func eachSample(page io.Reader, wanted func(name []byte) bool, take func(*sample) error) error {
	r, ok := page.(*bufio.Reader)
	if !ok || r.Size() < maxLine {
		r = bufio.NewReaderSize(page, maxLine)
	}
	s := sample{labels: make([]label, 0, 8)}
	for number := 1; ; number++ {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("line %d of the metrics is above %d KiB", number, maxLine>>10)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if text := bytes.TrimSpace(line); len(text) > 0 && text[0] != '#' {
			if err := s.read(text, wanted, take); err != nil {
				return fmt.Errorf("line %d of the metrics: %w", number, err)
			}
		}
		if err != nil {
			return nil
		}
	}
}

func (s *sample) read(line []byte, wanted func([]byte) bool, take func(*sample) error) error {
	s.labels = s.labels[:0]
	if line[0] == '{' { // a name that needs quotes stands among the labels
		s.rest, s.name = line, nil
		if err := s.parse(); err != nil {
			return err
		}
		if s.name == nil {
			return errors.New("a sample without a name")
		}
		if wanted(s.name) {
			return take(s)
		}
		return nil
	}
	end := 0
	for end < len(line) && isNameByte(line[end]) {
		end++
	}
	s.name, s.rest = line[:end], line[end:]
	if end == 0 || end == len(line) || s.rest[0] != '{' && s.rest[0] != ' ' && s.rest[0] != '\t' {
		return fmt.Errorf("%s is not a sample", reason.Quote(string(line)))
	}
	if !wanted(s.name) {
		return nil
	}
	if err := s.parse(); err != nil {
		return err
	}
	return take(s)
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == ':'
}

// parse reads labels, value and timestamp from the rest of the line. What follows them, an exemplar, is not used.
func (s *sample) parse() error {
	rest := bytes.TrimLeft(s.rest, " \t")
	if bytes.HasPrefix(rest, []byte("{")) {
		var err error
		if rest, err = s.parseLabels(rest[1:]); err != nil {
			return err
		}
	}
	rest = bytes.TrimLeft(rest, " \t")
	text := rest
	if end := bytes.IndexAny(rest, " \t"); end >= 0 {
		text = rest[:end]
	}
	value, err := strconv.ParseFloat(string(text), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("value %s is not a number", reason.Quote(string(text)))
	}
	s.value, s.at = value, timestamp(rest[len(text):])
	return nil
}

// timestamp reads the one at the beginning of a text; 0: there is none.
func timestamp(text []byte) float64 {
	text = bytes.TrimLeft(text, " \t")
	if end := bytes.IndexAny(text, " \t"); end >= 0 {
		text = text[:end]
	}
	at, err := strconv.ParseFloat(string(text), 64)
	switch {
	case err != nil || !(at > 0): // before 1970, or not a number
		return 0
	case at >= leastMillis:
		return at / 1000
	}
	return at
}

// age is how old the sample is by its timestamp; 0: it has none, or one that is ahead.
func (s *sample) age() time.Duration {
	if s.at == 0 {
		return 0
	}
	seconds := float64(time.Now().UnixMilli())/1000 - s.at
	return time.Duration(max(seconds, 0) * float64(time.Second))
}

func (s *sample) parseLabels(rest []byte) ([]byte, error) {
	for {
		rest = bytes.TrimLeft(rest, " \t,")
		if len(rest) == 0 {
			return nil, errors.New("labels are not closed")
		}
		if rest[0] == '}' {
			return rest[1:], nil
		}
		var one label
		var err error
		if rest[0] == '"' {
			one.name, rest, err = quotedLabel(rest)
		} else {
			end := bytes.IndexAny(rest, "=,} \t\"")
			if end <= 0 {
				return nil, errors.New("a label has no name")
			}
			one.name, rest = rest[:end], rest[end:]
		}
		if err != nil {
			return nil, err
		}
		rest = bytes.TrimLeft(rest, " \t")
		if s.name == nil && (len(rest) == 0 || rest[0] != '=') {
			s.name = one.name
			continue
		}
		if len(rest) == 0 || rest[0] != '=' {
			return nil, fmt.Errorf("label %s has no value", reason.Quote(string(one.name)))
		}
		if one.value, rest, err = quotedLabel(bytes.TrimLeft(rest[1:], " \t")); err != nil {
			return nil, err
		}
		if len(s.labels) == maxLabels {
			return nil, fmt.Errorf("a sample has more than %d labels", maxLabels)
		}
		s.labels = append(s.labels, one)
	}
}

// quotedLabel reads a text in double quotes, where \\, \" and \n are escapes.
func quotedLabel(text []byte) (value, rest []byte, err error) {
	if len(text) == 0 || text[0] != '"' {
		return nil, nil, errors.New("the value of a label is not in double quotes")
	}
	var unescaped []byte
	from := 1
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			if unescaped == nil {
				return text[1:i], text[i+1:], nil
			}
			return append(unescaped, text[from:i]...), text[i+1:], nil
		case '\\':
			unescaped = append(unescaped, text[from:i]...)
			if i++; i < len(text) && text[i] == 'n' {
				unescaped = append(unescaped, '\n')
			} else if i < len(text) {
				unescaped = append(unescaped, text[i])
			}
			if unescaped == nil {
				unescaped = []byte{}
			}
			from = i + 1
		}
	}
	return nil, nil, errors.New("the value of a label is not closed")
}

// sum adds up samples. A sample that is not a number counts as none.
type sum struct {
	value float64
	count int           // of samples
	bad   int           // of those that are not a number, or too old
	old   time.Duration // the age of one that is too old
	stood float64       // what those that are too old add up to
}

// addSample adds one unless it is too old.
func (s *sum) addSample(one *sample) {
	if age := one.age(); age > maxSampleAge {
		s.count, s.bad, s.old = s.count+1, s.bad+1, age
		if !math.IsNaN(one.value) {
			s.stood += one.value
		}
		return
	}
	s.add(one.value)
}

func (s *sum) add(value float64) {
	s.count++
	if math.IsNaN(value) {
		s.bad++
		return
	}
	s.value += value
}

// told reports whether there was any number.
func (s *sum) told() bool { return s.count > s.bad }
