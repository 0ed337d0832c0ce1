package probe

import (
	"bytes"
	"fmt"
	"regexp"

	"fairlead/config"
	"fairlead/monitors/reason"
)

const (
	// maxHeard is how much of an answer is looked at.
	maxHeard = 64 << 10
	// eagerLooks and eagerBytes are how many parts of an answer are looked at with a regular expression as they come, and up to where.
	// Beyond, an answer is looked at when it has grown by a quarter, so that one that comes byte by byte does not cost its square.
	eagerLooks = 64
	eagerBytes = 4 << 10
)

// dialogue is what is sent and what must come back. It is not changed.
type dialogue struct {
	send, expect []byte
	pattern      *regexp.Regexp
	silent       bool
}

// readDialogue reads a section of a monitor; nil: nothing is sent or expected.
func readDialogue(kind config.MonitorType, s *config.Dialogue) (*dialogue, error) {
	if s == nil {
		return new(dialogue), nil // what its defaults come to; most tcp probes only connect
	}
	d := &dialogue{send: []byte(s.Send), expect: []byte(s.Expect), silent: s.Silent}
	var err error
	if s.SendHex != "" {
		if d.send, err = config.ParseHex(s.SendHex); err != nil {
			return nil, fmt.Errorf("%s.send_hex: %w", kind, err)
		}
	}
	if s.ExpectHex != "" {
		if d.expect, err = config.ParseHex(s.ExpectHex); err != nil {
			return nil, fmt.Errorf("%s.expect_hex: %w", kind, err)
		}
	}
	d.pattern, err = compile(string(kind)+".expect_regexp", s.ExpectRegexp)
	return d, err
}

func (d *dialogue) expects() bool { return len(d.expect) > 0 || d.pattern != nil }

// hearing is what came back so far.
type hearing struct {
	*dialogue
	all    []byte
	any    bool // something came, be it an empty datagram
	found  bool // expect
	seen   int  // bytes that expect is not in, up to where it could still begin
	looks  int  // with the pattern
	looked int  // bytes at the last look
	match  bool
}

func (h *hearing) room() int { return maxHeard - len(h.all) }

// add takes in a part, as far as there is room.
func (h *hearing) add(part []byte) {
	h.any = true
	h.all = append(h.all, part[:min(len(part), h.room())]...)
}

// enough reports whether the dialogue is satisfied; it may be found to be later than it is.
func (h *hearing) enough() bool {
	if !h.findText() {
		return false
	}
	if h.pattern != nil && !h.match && (h.looks < eagerLooks && len(h.all) <= eagerBytes || len(h.all) >= h.looked+h.looked/4) {
		h.look()
	}
	return h.any && (h.pattern == nil || h.match)
}

func (h *hearing) findText() bool {
	if !h.found && len(h.expect) > 0 {
		h.found = bytes.Contains(h.all[h.seen:], h.expect)
		h.seen = max(0, len(h.all)-len(h.expect)+1)
	}
	return h.found || len(h.expect) == 0
}

func (h *hearing) look() {
	h.looks++
	h.looked = len(h.all)
	h.match = h.pattern.Match(h.all)
}

// drains is x.text for what came with the last part, and what of it began before: an answer that comes byte by byte is not to cost its
// square here, either. before is how much there was.
func (x *exchange) drains(h *hearing, before int) bool {
	if d := x.monitor.DrainOn; d != nil {
		before = max(0, before-len(d.Text)+1)
	}
	return x.text(h.all[min(before, len(h.all)):])
}

// judgeHeard judges an answer of which no more is to come, or that is enough.
func (x *exchange) judgeHeard(h *hearing) error {
	if !h.findText() {
		return unlike("answer of %d bytes lacks %s", len(h.all), reason.Quote(string(h.expect)))
	}
	if h.pattern != nil && !h.match && h.looked < len(h.all) {
		h.look()
	}
	if h.pattern != nil && !h.match {
		return unlike("answer of %d bytes does not match %s", len(h.all), reason.Quote(h.pattern.String()))
	}
	x.passes("answer of %d bytes", len(h.all))
	return nil
}
