package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
)

const docsPath = "/docs"

// docsPolicy lets the page load nothing and run nothing (Content Security Policy Level 3).
const docsPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed reference_page.html
var referenceTemplate string

// writePage sends a page that was made before.
func writePage(w http.ResponseWriter, page []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", docsPolicy)
	_, _ = w.Write(page) // the client is gone; there is nobody to tell
}

// pageOperation is one operation on the page.
type pageOperation struct {
	Method, Path, ID, Summary string
	Parameters                []pageParameter
	Bodies                    []pageBody
	Responses                 []pageResponse
	Example                   string
}

type pageParameter struct{ Name, In, Type, Description, Required string }

type pageBody struct{ Media, Schema, Link string }

type pageResponse struct {
	Status, Description string
	Bodies              []pageBody
}

type pageSchema struct {
	Name, Description string
	Properties        []pageParameter
}

type pageGroup struct {
	Name       string
	Operations []pageOperation
}

// referencePage writes an OpenAPI document as one page that needs neither scripts nor anything from elsewhere.
func referencePage(openAPI map[string]any) ([]byte, error) {
	page, err := template.New("page").Parse(referenceTemplate)
	if err != nil {
		return nil, fmt.Errorf("read page of the interface: %w", err)
	}
	info := openAPI["info"].(map[string]any)
	data := struct {
		Title, Version, Description string
		Groups                      []pageGroup
		Schemas                     []pageSchema
	}{Title: text(info, "title"), Version: text(info, "version"), Description: text(info, "description"),
		Groups: pageGroups(openAPI["paths"].(map[string]any)), Schemas: pageSchemas(openAPI["components"].(map[string]any)["schemas"].(map[string]any))}
	var out bytes.Buffer
	if err := page.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("write page of the interface: %w", err)
	}
	return out.Bytes(), nil
}

// pageGroups lists operations by tag, then path, then method.
func pageGroups(paths map[string]any) []pageGroup {
	byTag := map[string][]pageOperation{}
	for _, path := range sortedKeys(paths) {
		item := paths[path].(map[string]any)
		for _, method := range []string{"get", "put", "patch", "post", "delete"} {
			if op, ok := item[method].(map[string]any); ok {
				tag := "other"
				if tags, ok := op["tags"].([]any); ok && len(tags) > 0 {
					tag, _ = tags[0].(string)
				}
				byTag[tag] = append(byTag[tag], pageOperationOf(strings.ToUpper(method), path, op))
			}
		}
	}
	var out []pageGroup
	for _, tag := range sortedKeys(byTag) {
		out = append(out, pageGroup{tag, byTag[tag]})
	}
	return out
}

func pageOperationOf(method, path string, op map[string]any) pageOperation {
	out := pageOperation{Method: method, Path: path, ID: text(op, "operationId"), Summary: text(op, "summary"), Example: "curl -s "}
	parameters, _ := op["parameters"].([]any)
	for _, p := range parameters {
		m := p.(map[string]any)
		schema, _ := m["schema"].(map[string]any)
		d := pageParameter{Name: text(m, "name"), In: text(m, "in"), Type: typeOf(schema), Description: text(m, "description")}
		if m["required"] == true {
			d.Required = "required"
		}
		out.Parameters = append(out.Parameters, d)
	}
	if method != http.MethodGet {
		out.Example += "-X " + method + " "
	}
	if body, ok := op["requestBody"].(map[string]any); ok {
		out.Bodies = pageBodies(body)
		if len(out.Bodies) > 0 {
			out.Example += "-H 'Content-Type: " + out.Bodies[0].Media + "' --data-binary @body "
		}
	}
	out.Example += "'http://127.0.0.1:8053" + path + "'"
	responses, _ := op["responses"].(map[string]any)
	for _, status := range sortedKeys(responses) {
		r := responses[status].(map[string]any)
		out.Responses = append(out.Responses, pageResponse{status, text(r, "description"), pageBodies(r)})
	}
	return out
}

func pageBodies(of map[string]any) []pageBody {
	content, _ := of["content"].(map[string]any)
	var out []pageBody
	for _, media := range sortedKeys(content) {
		m, _ := content[media].(map[string]any)
		schema, _ := m["schema"].(map[string]any)
		out = append(out, pageBody{media, typeOf(schema), linkOf(schema)})
	}
	return out
}

func pageSchemas(schemas map[string]any) []pageSchema {
	var out []pageSchema
	for _, name := range sortedKeys(schemas) {
		s := schemas[name].(map[string]any)
		properties, _ := s["properties"].(map[string]any)
		required, _ := s["required"].([]any)
		d := pageSchema{Name: name, Description: text(s, "description")}
		for _, key := range sortedKeys(properties) {
			p, _ := properties[key].(map[string]any)
			property := pageParameter{Name: key, Type: typeOf(p), Description: text(p, "description"), In: linkOf(p)}
			if slices.Contains(required, any(key)) {
				property.Required = "required"
			}
			d.Properties = append(d.Properties, property)
		}
		out = append(out, d)
	}
	return out
}

// typeOf describes a schema in a few words.
func typeOf(s map[string]any) string {
	if ref := linkOf(s); ref != "" && s["type"] == nil {
		return ref
	}
	out := ""
	switch t := s["type"].(type) {
	case string:
		out = t
	case []any:
		var words []string
		for _, one := range t {
			if one != "null" {
				words = append(words, fmt.Sprint(one))
			}
		}
		out = strings.Join(words, " or ")
	}
	if items, ok := s["items"].(map[string]any); ok {
		out += " of " + typeOf(items)
	}
	if words, ok := s["enum"].([]any); ok {
		out += " (" + joined(words) + ")"
	}
	for _, limit := range []struct{ key, word string }{{"minimum", "from"}, {"maximum", "to"}, {"maxLength", "at most"}, {"default", "default"}} {
		if v, ok := s[limit.key]; ok {
			out += " " + limit.word + " " + fmt.Sprint(v)
		}
	}
	return out
}

func joined(words []any) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = fmt.Sprint(w)
	}
	return strings.Join(out, ", ")
}

// linkOf returns the name of the schema that one refers to, itself or by its entries; "" for none.
func linkOf(s map[string]any) string {
	if ref, ok := s["$ref"].(string); ok {
		return strings.TrimPrefix(ref, schemaRefPrefix)
	}
	if items, ok := s["items"].(map[string]any); ok {
		return linkOf(items)
	}
	alternatives, _ := s["anyOf"].([]any)
	for _, a := range alternatives {
		if m, ok := a.(map[string]any); ok && linkOf(m) != "" {
			return linkOf(m)
		}
	}
	return ""
}

func text(m map[string]any, key string) string {
	switch v := m[key].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func sortedKeys[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for key := range m {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}
