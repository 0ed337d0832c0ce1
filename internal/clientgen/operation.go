package clientgen

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// document is the part of an OpenAPI document that is looked at.
type document struct {
	Paths map[string]map[string]operation `json:"paths"`
}

type operation struct {
	OperationID string              `json:"operationId"`
	Summary     string              `json:"summary"`
	Parameters  []parameter         `json:"parameters"`
	RequestBody *content            `json:"requestBody"`
	Responses   map[string]*content `json:"responses"`

	method, path string
}

type parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Description string `json:"description"`
	Schema      schema `json:"schema"`
}

type content struct {
	Content map[string]struct {
		Schema schema `json:"schema"`
	} `json:"content"`
}

type schema struct {
	Ref    string          `json:"$ref"`
	Type   json.RawMessage `json:"type"`
	Format string          `json:"format"`
}

// operations lists the operations of a document by id.
func operations(openAPI []byte) ([]operation, error) {
	var d document
	if err := json.Unmarshal(openAPI, &d); err != nil {
		return nil, fmt.Errorf("read OpenAPI document: %w", err)
	}
	var out []operation
	for path, item := range d.Paths {
		for method, op := range item {
			if op.OperationID == "" {
				return nil, fmt.Errorf("read OpenAPI document: %s %s has no operationId", method, path)
			}
			op.method, op.path = strings.ToUpper(method), path
			out = append(out, op)
		}
	}
	slices.SortFunc(out, func(a, b operation) int { return strings.Compare(a.OperationID, b.OperationID) })
	return out, nil
}

// in returns the parameters of a place, in their order.
func (o *operation) in(places ...string) []parameter {
	var out []parameter
	for _, p := range o.Parameters {
		if slices.Contains(places, p.In) {
			out = append(out, p)
		}
	}
	return out
}

// shape is how a body travels.
type shape int

const (
	nothing  shape = iota
	value          // JSON with a type of package resource
	text           // an object, a document or a file
	streamed       // read bit by bit
)

// answer returns how the operation answers, and with which type.
func (o *operation) answer(own func(name string) bool) (shape, string) {
	for _, status := range []string{"200", "201"} {
		response := o.Responses[status]
		if response == nil || len(response.Content) == 0 {
			continue
		}
		if m, ok := response.Content["application/json"]; ok && len(response.Content) == 1 && own(m.Schema.name()) {
			return value, m.Schema.name()
		}
		for media, m := range response.Content {
			if media == "text/event-stream" || m.Schema.Format == "binary" {
				return streamed, ""
			}
		}
		return text, ""
	}
	return nothing, ""
}

// body returns how the operation is sent its body, and of which type.
func (o *operation) body(own func(name string) bool) (shape, string) {
	if o.RequestBody == nil || len(o.RequestBody.Content) == 0 {
		return nothing, ""
	}
	if m, ok := o.RequestBody.Content["application/json"]; ok && len(o.RequestBody.Content) == 1 && own(m.Schema.name()) {
		return value, m.Schema.name()
	}
	return text, ""
}

// name returns the name of the schema that is referred to.
func (s *schema) name() string { return strings.TrimPrefix(s.Ref, "#/components/schemas/") }

// is reports whether the schema is of a type, among others.
func (s *schema) is(word string) bool { return strings.Contains(string(s.Type), `"`+word+`"`) }
