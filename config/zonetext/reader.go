package zonetext

import (
	"fmt"
	"slices"
	"sort"

	"github.com/miekg/dns"

	"fairlead/config/zonedata"
)

// Limits of one reading.
const (
	// MaxDepth is how many files can include each other, the first one counted.
	MaxDepth = 8
	// MaxOctets is how much text one reading takes in, files that are included several times counted each time.
	MaxOctets = 256 << 20
	// MaxProblems is how many problems are looked for.
	MaxProblems = 20
)

// Options say what is read. Text and Origin are required.
type Options struct {
	Text   []byte // is not changed
	Name   string // of the text's file, as Place returns it
	Origin []byte // name in wire form that relative names are completed with, until $ORIGIN
	// TTL is for records without one of their own, before $TTL and before another record states one. nil: they are an
	// error.
	TTL *uint32
	// Include returns the text of a file that the file from names, after IncludePath: its name and content. nil:
	// $INCLUDE is refused.
	Include func(from, path string) (name string, text []byte, err error)
}

// Record is a record of the text. Its slices are valid until the next one is read. Line is for Place.
type Record struct {
	zonedata.Record
	Class uint16
}

// Reader reads one text after the other. Reset before each. It is not safe for concurrent use.
type Reader struct {
	options  Options
	emit     func(*Record)
	record   Record
	data     []byte // of the record
	packed   []byte // scratch of entries that are read by miekg/dns
	file     source
	names    [2]wireName // the owner and the one before it
	current  int         // which of names is the owner
	origin   wireName    // as written, for names in record data
	lowered  wireName    // the same in lower case, for owners
	originAs string      // origin in text form; "": not made yet
	ttl      uint32
	hasTTL   bool
	fixedTTL bool   // by $TTL
	virtual  uint32 // line of the entry, all texts counted as they were read
	segments []segment
	open     []string // names of the files being read
	octets   int
	problems []Problem
	stopped  bool
}

// source is the text that is being read.
type source struct {
	name string
	text []byte
	at   int // the entry's start
	line int // and its line, from 1
}

// segment says where virtual lines come from.
type segment struct {
	virtual uint32
	name    string
	line    int
}

// New returns a Reader of a text.
func New(o Options) *Reader {
	r := new(Reader)
	r.Reset(o)
	return r
}

// Reset makes the Reader one of another text. It keeps its memory, so that many small texts can be read without new.
func (r *Reader) Reset(o Options) {
	r.options, r.virtual, r.octets = o, 1, 0
	r.names[0].n, r.names[1].n = 0, 0
	r.setOrigin(o.Origin)
	r.ttl, r.hasTTL, r.fixedTTL = 0, false, false
	if o.TTL != nil {
		r.ttl, r.hasTTL = *o.TTL, true
	}
	r.segments, r.open, r.problems, r.stopped = r.segments[:0], r.open[:0], nil, false
}

// Read reads the text and calls record for each record. It returns what is wrong with the text, in the order of reading.
func (r *Reader) Read(record func(*Record)) []Problem {
	r.emit = record
	r.readText(r.options.Name, r.options.Text)
	return r.problems
}

// Place returns the file and line of a record.
func (r *Reader) Place(line uint32) (name string, at int) {
	i := sort.Search(len(r.segments), func(i int) bool { return r.segments[i].virtual > line })
	if i == 0 {
		return r.options.Name, 0
	}
	s := &r.segments[i-1]
	return s.name, s.line + int(line-s.virtual)
}

// readText reads one file to its end.
func (r *Reader) readText(name string, text []byte) {
	if r.octets += len(text); r.octets > MaxOctets {
		r.fail(Problem{Kind: TooMuch, Message: fmt.Sprintf("the text has more than %d bytes, what it includes counted each time", MaxOctets)})
		r.stopped = true
		return
	}
	r.file = source{name: name, text: text, line: 1}
	r.open = append(r.open, name)
	r.segments = append(r.segments, segment{r.virtual, name, 1})
	for r.file.at < len(r.file.text) && !r.stopped {
		if end := r.plainLine(); end >= 0 {
			r.file.at = end
			r.file.line++
			r.virtual++
			continue
		}
		r.entry()
	}
	r.open = r.open[:len(r.open)-1]
}

// include reads a file in the place of a directive and returns to where it stood: origin, owner and TTL are what they were.
func (r *Reader) include(name string, text []byte, origin []byte) {
	file, before, owner := r.file, r.origin, *r.owner()
	ttl, has, fixed := r.ttl, r.hasTTL, r.fixedTTL
	r.setOrigin(origin)
	r.virtual++
	r.readText(name, text)
	r.file, r.ttl, r.hasTTL, r.fixedTTL = file, ttl, has, fixed
	r.setOrigin(before.octets())
	*r.owner() = owner
	r.virtual++
	r.segments = append(r.segments, segment{r.virtual, file.name, file.line})
}

func (r *Reader) including(name string) bool { return slices.Contains(r.open, name) }

func (r *Reader) owner() *wireName { return &r.names[r.current] }

func (r *Reader) setOrigin(name []byte) {
	r.origin.set(name)
	r.lowered.set(name)
	lower(r.lowered.octets())
	r.originAs = ""
}

// originText returns the origin in text form.
func (r *Reader) originText() string {
	if r.originAs == "" {
		r.originAs = r.origin.text()
	}
	return r.originAs
}

// fail notes a problem at the entry, or Line lines behind its start.
func (r *Reader) fail(p Problem) {
	p.Name, p.Line = r.file.name, r.file.line+p.Line
	r.problems = append(r.problems, p)
	if len(r.problems) == MaxProblems {
		r.stopped = true
	}
}

// put passes a record on.
func (r *Reader) put(class, rrtype uint16, ttl uint32, data []byte) {
	r.record = Record{Class: class, Record: zonedata.Record{Owner: r.owner().octets(), Type: rrtype, TTL: ttl, Data: data, Line: r.virtual}}
	r.emit(&r.record)
}

// wireName is a name in wire form.
type wireName struct {
	b [zonedata.MaxNameOctets + 1]byte
	n int // 0: no name
}

func (w *wireName) octets() []byte { return w.b[:w.n] }

func (w *wireName) set(name []byte) { w.n = copy(w.b[:zonedata.MaxNameOctets], name) }

func (w *wireName) text() string {
	s, _, err := dns.UnpackDomainName(w.octets(), 0)
	if err != nil {
		return "."
	}
	return s
}
