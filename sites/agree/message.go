package agree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"fairlead/mep"
)

// Limits of a message.
const (
	// maxSpans is how many spans one question asks for.
	maxSpans = 16
	// leafItems is how many things of one span are told by name.
	leafItems = 12
	// maxItemName and maxItemDetail bound the texts of a thing, in octets.
	maxItemName, maxItemDetail = 200, 100
	// maxAnswer bounds an answer.
	maxAnswer = mep.MaxAsk
	// messageVersion is the first octet of all messages.
	messageVersion = 1
)

// mode is what is asked of spans.
type mode uint8

const (
	modeSums  mode = 1 // of their parts
	modeItems mode = 2 // what is in them, by name
)

// question is the body of a question between sites. Layout, big-endian:
//
//	0  1  version: 1
//	1  1  topic: 0 answers, 1 services, 2 overrides, 3 location files, 4 ages of loads
//	2  1  mode: 1 sums, 2 items
//	3  1  number of spans, 1 to 16
//	4     spans, each 1 octet depth (a multiple of 6, at most 60) and 8 octets: the upper bits of keys, as many as depth, then zeros
type question struct {
	topic topic
	mode  mode
	spans []span
}

const questionHead, spanSize = 4, 9

func (q *question) append(b []byte) []byte {
	b = append(b, messageVersion, uint8(q.topic), uint8(q.mode), uint8(len(q.spans)))
	for _, s := range q.spans {
		b = binary.BigEndian.AppendUint64(append(b, s.depth), s.prefix)
	}
	return b
}

func decodeQuestion(b []byte) (q question, err error) {
	if len(b) < questionHead {
		return q, fmt.Errorf("read question: %d octets, want at least %d", len(b), questionHead)
	}
	q.topic, q.mode = topic(b[1]), mode(b[2])
	count := int(b[3])
	switch {
	case b[0] != messageVersion:
		return q, fmt.Errorf("read question: version %d, want %d", b[0], messageVersion)
	case q.topic >= topics:
		return q, fmt.Errorf("read question: topic %d is not known", q.topic)
	case q.mode != modeSums && q.mode != modeItems:
		return q, fmt.Errorf("read question: mode %d is not known", q.mode)
	case count == 0 || count > maxSpans:
		return q, fmt.Errorf("read question: %d spans, want 1 to %d", count, maxSpans)
	case len(b) != questionHead+count*spanSize:
		return q, fmt.Errorf("read question: %d octets for %d spans", len(b)-questionHead, count)
	}
	for at := questionHead; at < len(b); at += spanSize {
		s := span{depth: b[at], prefix: binary.BigEndian.Uint64(b[at+1:])}
		if !s.valid() || q.mode == modeSums && s.depth == maxDepth {
			return q, fmt.Errorf("read question: span of depth %d and prefix %#x is none", s.depth, s.prefix)
		}
		q.spans = append(q.spans, s)
	}
	return q, nil
}

// item is a thing by name. Layout, big-endian:
//
//	 0  8  key
//	 8  8  value
//	16  4  age: seconds since the value changed, of loads since the last report; 2^32-1: never
//	20  1  length of the name, then the name in UTF-8
//	    1  length of what it is like, for people, then that
type item struct {
	key, value   uint64
	age          uint32
	name, detail string
}

const (
	itemSize = 22
	never    = math.MaxUint32
)

func (i *item) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, i.key)
	b = binary.BigEndian.AppendUint64(b, i.value)
	b = binary.BigEndian.AppendUint32(b, i.age)
	for _, text := range [...]string{printable(i.name, maxItemName), printable(i.detail, maxItemDetail)} {
		b = append(append(b, uint8(len(text))), text...)
	}
	return b
}

// An answer has in its first octet the version, and then for each span of the question: of sums, for each of the 64 parts 8
// octets digest and 4 octets number of entries; of items, 1 octet their number, at most 12, then the items.

func appendSums(b []byte, sums *[fan]sum) []byte {
	for i := range sums {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, sums[i].hash), sums[i].count)
	}
	return b
}

const sumSize = 12

var errAnswer = errors.New("its answer is not one to what was asked")

func decodeSums(b []byte, spans int) ([][fan]sum, error) {
	if len(b) != 1+spans*fan*sumSize || b[0] != messageVersion {
		return nil, errAnswer
	}
	out := make([][fan]sum, spans)
	for i := range out {
		for j := range out[i] {
			at := b[1+(i*fan+j)*sumSize:]
			out[i][j] = sum{binary.BigEndian.Uint64(at), binary.BigEndian.Uint32(at[8:])}
		}
	}
	return out, nil
}

func decodeItems(b []byte, spans int) ([]item, error) {
	if len(b) == 0 || b[0] != messageVersion {
		return nil, errAnswer
	}
	var out []item
	b = b[1:]
	for range spans {
		if len(b) == 0 || int(b[0]) > leafItems || len(b)-1 < int(b[0])*itemSize {
			return nil, errAnswer
		}
		count := int(b[0])
		b = b[1:]
		for range count {
			var i item
			var ok bool
			if i, b, ok = decodeItem(b); !ok {
				return nil, errAnswer
			}
			out = append(out, i)
		}
	}
	if len(b) > 0 {
		return nil, errAnswer
	}
	return out, nil
}

func decodeItem(b []byte) (i item, rest []byte, ok bool) {
	if len(b) < itemSize {
		return i, nil, false
	}
	i.key, i.value, i.age = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:])
	b = b[20:]
	for _, to := range [...]*string{&i.name, &i.detail} {
		if len(b) == 0 || len(b)-1 < int(b[0]) {
			return i, nil, false
		}
		*to = printable(string(b[1:1+int(b[0])]), int(b[0]))
		b = b[1+int(b[0]):]
	}
	return i, b, true
}

// printable returns a text of at most so many octets that a terminal can be shown.
func printable(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	for len(text) > most {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
