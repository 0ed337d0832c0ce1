package clientgen

import (
	"bytes"
	"fmt"
	"go/format"
	"slices"
	"strings"
	"unicode"
)

// objectPrefix begins the names of schemas that are no types of package resource, but of the document.
const objectPrefix = "Config"

// head begins the file.
const head = `// Code generated from the OpenAPI document of the interface; DO NOT EDIT.
// go test ./internal/clientgen -update

package client

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"fairlead/api/resource"
)
`

// Generate writes the methods of client.API for all operations of an OpenAPI document, as one file of Go.
func Generate(openAPI []byte) ([]byte, error) {
	ops, err := operations(openAPI)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(head)
	named := sharedParams(ops)
	for _, op := range ops {
		writeOperation(&b, &op, named)
	}
	out, err := format.Source(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("format client: %w", err)
	}
	return out, nil
}

// own reports whether a schema is a type of package resource.
func own(name string) bool { return name != "" && !strings.HasPrefix(name, objectPrefix) }

// shared names the types of parameters that many operations take alike, each by one of these.
var shared = map[string]string{"list-service-objects": "ListObjectsParams", "read-service": "ReadParams", "put-service": "WriteParams"}

// sharedParams returns the names of shared types by what they hold.
func sharedParams(ops []operation) map[string]string {
	out := map[string]string{}
	for _, op := range ops {
		if name := shared[op.OperationID]; name != "" {
			out[paramsKey(op.in("query", "header"))] = name
		}
	}
	return out
}

func paramsKey(params []parameter) string {
	var names []string
	for _, p := range params {
		names = append(names, p.In+" "+p.Name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func writeOperation(b *bytes.Buffer, op *operation, named map[string]string) {
	name := exported(op.OperationID)
	params := op.in("query", "header")
	paramsType := name + "Params"
	if common := named[paramsKey(params)]; common != "" {
		paramsType = common
	}
	if len(params) > 0 && (paramsType == name+"Params" || shared[op.OperationID] != "") {
		writeParams(b, paramsType, name, params)
	}
	args := []string{"ctx context.Context"}
	for _, p := range op.in("path") {
		args = append(args, local(p.Name)+" string")
	}
	sent, sentType := op.body(own)
	switch sent {
	case value:
		args = append(args, "body resource."+sentType)
	case text:
		args = append(args, "body Text")
	}
	if len(params) > 0 {
		args = append(args, "p "+paramsType)
	}
	answer, answerType := op.answer(own)
	result := map[shape]string{nothing: "error", value: "(*resource." + answerType + ", error)", text: "(*Text, error)", streamed: "(io.ReadCloser, error)"}[answer]
	fmt.Fprintf(b, "\n// %s asks for %s %s: %s.\n", name, op.method, op.path, strings.TrimSuffix(lowered(op.Summary), "."))
	if answer == streamed {
		b.WriteString("// What it returns is to be closed.\n")
	}
	fmt.Fprintf(b, "func (api API) %s(%s) %s {\n", name, strings.Join(args, ", "), result)
	fmt.Fprintf(b, "\ti := &invocation{method: %q, path: %s, query: url.Values{}, header: http.Header{}", op.method, pathExpression(op.path))
	switch sent {
	case value:
		b.WriteString(", value: body")
	case text:
		b.WriteString(", text: &body")
	}
	b.WriteString("}\n")
	for _, p := range params {
		fmt.Fprintf(b, "\ti.set%s(%q, %q, p.%s)\n", setter(p.Schema), p.In, p.Name, exported(p.Name))
	}
	call := map[shape]string{nothing: "api.nothing(ctx, i)", value: "invoke[resource." + answerType + "](ctx, api, i)", text: "api.text(ctx, i)", streamed: "api.stream(ctx, i)"}[answer]
	fmt.Fprintf(b, "\treturn %s\n}\n", call)
}

// writeParams writes the type of an operation's parameters. What is empty is not sent.
func writeParams(b *bytes.Buffer, typeName, operation string, params []parameter) {
	fmt.Fprintf(b, "\n// %s are what %s takes besides. What is empty is not sent.\ntype %s struct {\n", typeName, operation, typeName)
	for _, p := range params {
		fmt.Fprintf(b, "\t%s %s // %s\n", exported(p.Name), goType(p.Schema), p.Description)
	}
	b.WriteString("}\n")
}

func goType(s schema) string {
	switch {
	case s.is("boolean"):
		return "bool"
	case s.is("integer"):
		return "int"
	case s.is("array"):
		return "[]string"
	}
	return "string"
}

func setter(s schema) string {
	return map[string]string{"bool": "Bool", "int": "Int", "[]string": "List", "string": ""}[goType(s)]
}

// pathExpression writes a path with its parameters put in.
func pathExpression(path string) string {
	var parts []string
	for path != "" {
		before, rest, found := strings.Cut(path, "{")
		if before != "" {
			parts = append(parts, fmt.Sprintf("%q", before))
		}
		if !found {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		parts = append(parts, "url.PathEscape("+local(name)+")")
		path = after
	}
	return strings.Join(parts, " + ")
}

// initialisms are written in capitals.
var initialisms = map[string]string{"id": "ID", "rtt": "RTT", "api": "API", "json": "JSON", "if": "If"}

// exported makes a Go name of words: get-service becomes GetService, openapi.json OpenapiJSON.
func exported(s string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if capital, ok := initialisms[strings.ToLower(word)]; ok {
			b.WriteString(capital)
			continue
		}
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// local makes the name of an argument.
func local(s string) string {
	if name := exported(s); strings.ToUpper(name) != name {
		return strings.ToLower(name[:1]) + name[1:]
	}
	return strings.ToLower(s)
}

// lowered begins a sentence in lower case, unless its first word is a name.
func lowered(s string) string {
	if len(s) > 1 && unicode.IsUpper(rune(s[0])) && unicode.IsLower(rune(s[1])) {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}
