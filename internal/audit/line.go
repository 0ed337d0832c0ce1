package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// MaxLine bounds a line, in bytes: JSON writes some characters of a diff as six.
const MaxLine = 1 << 20

// hash is the SHA-256 of a line without its end.
type hash [sha256.Size]byte

func (h hash) String() string { return hex.EncodeToString(h[:]) }

func hashOf(text []byte) hash { return sha256.Sum256(text) }

// writeLine writes a line with its end, and returns the hash that the next one carries.
func writeLine(l *Line) ([]byte, hash, error) {
	l.bound()
	text, err := json.Marshal(l)
	if err != nil {
		return nil, hash{}, fmt.Errorf("write audit line %d: %w", l.Seq, err)
	}
	return append(text, '\n'), sha256.Sum256(text), nil
}

// bound cuts what is too long.
func (e *Entry) bound() {
	for _, text := range []*string{&e.Who.Name, &e.Who.Kind, &e.Who.ID, &e.Who.Remote, &e.Action, &e.Object, &e.Reason, &e.Before, &e.After, &e.Request} {
		*text = cut(*text, maxText)
	}
	if len(e.Diff) > MaxDiff {
		e.Diff, e.Cut = cut(e.Diff, MaxDiff), true
	}
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

// ReadLine decodes a line without its end.
func ReadLine(text []byte) (Line, error) {
	var l Line
	if len(text) > MaxLine {
		return l, fmt.Errorf("read audit line: it has %d bytes; the limit is %d", len(text), MaxLine)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&l); err != nil {
		return Line{}, fmt.Errorf("read audit line: %w", err)
	}
	if d.More() {
		return Line{}, errors.New("read audit line: there is something behind the entry")
	}
	if l.Seq == 0 || len(l.Prev) != 2*sha256.Size {
		return Line{}, errors.New("read audit line: it has no number or no hash of the line before")
	}
	return l, nil
}
