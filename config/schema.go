package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
)

// DocumentSchema returns the JSON Schema (2020-12) of the GSLB document, made from the same tags as its decoder.
func DocumentSchema() ([]byte, error) {
	return schemaOf(reflect.TypeFor[Document](), "Fairlead GSLB document")
}

// NodeSchema returns the JSON Schema (2020-12) of the node file.
func NodeSchema() ([]byte, error) {
	return schemaOf(reflect.TypeFor[Node](), "Fairlead node file")
}

// schema is the part of JSON Schema that is used here, in the order it is written.
type schema struct {
	Dialect     string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Ref         string             `json:"$ref,omitempty"`
	Type        any                `json:"type,omitempty"` // a string, or several
	Enum        []string           `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Default     any                `json:"default,omitempty"`
	Minimum     *float64           `json:"minimum,omitempty"`
	Maximum     *float64           `json:"maximum,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	AnyOf       []*schema          `json:"anyOf,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Further     any                `json:"additionalProperties,omitempty"` // false, or the schema of values under keys of any name
	Defs        map[string]*schema `json:"$defs,omitempty"`
}

type schemaWriter struct {
	shapes shapes
	defs   map[string]*schema
}

func schemaOf(t reflect.Type, title string) ([]byte, error) {
	w := schemaWriter{shapes: shapes{}, defs: map[string]*schema{}}
	root := w.object(t)
	root.Dialect = "https://json-schema.org/draft/2020-12/schema"
	root.Title = title
	root.Defs = w.defs
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode schema %q: %w", title, err)
	}
	return append(out, '\n'), nil
}

func (w *schemaWriter) object(t reflect.Type) *schema {
	s := &schema{Type: "object", Properties: map[string]*schema{}, Further: false}
	for _, f := range w.shapes.fields(t) {
		p := w.value(f.typ)
		p.Description = f.doc
		p.Default = defaultValue(f)
		if f.limits != nil && !isText(f.typ) {
			p.Minimum, p.Maximum = &f.limits.min, &f.limits.max
		}
		if f.required {
			s.Required = append(s.Required, f.key)
		} else {
			nullable(p)
		}
		s.Properties[f.key] = p
	}
	return s
}

// nullable lets an optional key stand without a value, which means that it is absent.
func nullable(s *schema) {
	if name, ok := s.Type.(string); ok && s.Enum == nil {
		s.Type = []string{name, "null"}
	}
}

func (w *schemaWriter) value(t reflect.Type) *schema {
	if t.Kind() == reflect.Pointer {
		return w.value(t.Elem())
	}
	switch {
	case isText(t):
		return &schema{Type: "string", Pattern: textPattern(t)}
	case isWord(t):
		return &schema{Type: "string", Enum: spellings(t)}
	}
	switch t.Kind() {
	case reflect.Struct:
		if _, done := w.defs[t.Name()]; !done {
			w.defs[t.Name()] = nil // stops recursion
			w.defs[t.Name()] = w.object(t)
		}
		if ref := (&schema{Ref: "#/$defs/" + t.Name()}); !isBrief(t) {
			return ref
		} else {
			return &schema{AnyOf: []*schema{{Type: "string"}, ref}}
		}
	case reflect.Slice:
		return &schema{Type: "array", Items: w.value(t.Elem())}
	case reflect.Map:
		return &schema{Type: "object", Further: w.value(t.Elem())}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Float64:
		return &schema{Type: "number"}
	}
	s := &schema{Type: "integer"}
	if t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64 {
		s.Minimum = new(float64)
	}
	return s
}

// spellings lists what the decoder accepts for a word, canonical ones first.
func spellings(t reflect.Type) []string {
	out := words(t)
	if t == reflect.TypeFor[Method]() {
		for _, w := range words(t) {
			if s := netScalerSpelling(w); s != w {
				out = append(out, s)
			}
		}
	}
	return out
}

// textPattern is a coarse pattern: enough for an editor to point at a slip.
func textPattern(t reflect.Type) string {
	switch t {
	case durationType:
		return `^(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$`
	case reflect.TypeFor[netip.Addr]():
		return `^[0-9A-Fa-f:.]+$`
	case reflect.TypeFor[netip.Prefix]():
		return `^[0-9A-Fa-f:.]+/[0-9]{1,3}$`
	}
	return ""
}

// defaultValue is the default tag as JSON has it.
func defaultValue(f field) any {
	if f.def == "" {
		return nil
	}
	switch f.typ.Kind() {
	case reflect.Slice:
		return strings.Split(f.def, listComma)
	case reflect.Bool:
		return f.def == "true"
	case reflect.Int, reflect.Uint32, reflect.Uint64:
		if n, err := strconv.ParseUint(f.def, 10, 64); err == nil {
			return n
		}
	}
	return f.def
}
