package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is what the tags of one struct field say. The decoder and the JSON Schema read nothing else.
type field struct {
	key      string
	index    int
	typ      reflect.Type
	required bool
	def      string // value of an absent key; "" when there is none
	limits   *limits
	doc      string
}

// listComma stands between the entries of a list in a default tag.
const listComma = ","

// limits is the range of a number or duration, both ends included. Durations are in nanoseconds.
type limits struct {
	text     string // "1 to 100", for messages
	min, max float64
	step     time.Duration // durations are multiples of it; 0: any
}

// shapes caches the fields of struct types. It belongs to one goroutine.
type shapes map[reflect.Type][]field

// fields returns the fields that a file can set. It panics on a malformed tag, which is a mistake in the model.
func (s shapes) fields(t reflect.Type) []field {
	if known, ok := s[t]; ok {
		return known
	}
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || key == "-" || key == "" {
			continue
		}
		out = append(out, field{
			key: key, index: i, typ: f.Type, required: options != "omitempty",
			def: f.Tag.Get("default"), doc: f.Tag.Get("doc"), limits: parseLimits(f),
		})
	}
	s[t] = out
	return out
}

func parseLimits(f reflect.StructField) *limits {
	tag := f.Tag.Get("range")
	if tag == "" {
		return nil
	}
	low, high, ok := strings.Cut(tag, "..")
	if !ok {
		panic(fmt.Sprintf("range tag of %s: %q", f.Name, tag))
	}
	l := &limits{text: low + " to " + high, min: limit(f, low), max: limit(f, high)}
	if step := f.Tag.Get("step"); step != "" {
		l.step = time.Duration(limit(f, step))
	}
	return l
}

func limit(f reflect.StructField, text string) float64 {
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return v
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		panic(fmt.Sprintf("range or step tag of %s: %q", f.Name, text))
	}
	return float64(v)
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	wordType        = reflect.TypeFor[interface{ Enum() []string }]()
	briefType       = reflect.TypeFor[brief]()
	durationType    = reflect.TypeFor[Duration]()
	textsType       = reflect.TypeFor[[]string]()
)

// isText reports whether values of t read themselves from text.
func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textUnmarshaler) }

// isBrief reports whether values of t, which are mappings, can also be written as one word.
func isBrief(t reflect.Type) bool { return reflect.PointerTo(t).Implements(briefType) }

// isWord reports whether t is a closed set of words.
func isWord(t reflect.Type) bool { return t.Kind() == reflect.String && t.Implements(wordType) }

// words lists the words of a type for which isWord holds.
func words(t reflect.Type) []string {
	return reflect.Zero(t).Interface().(interface{ Enum() []string }).Enum()
}
