package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/config"
)

// Problems that reading and writing documents may end with.
var (
	readProblems = []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}

	writeProblems = []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
)

const (
	// bodyKey is where an operation says what its text body is.
	bodyKey = "fairlead-body"
	// schemaRefPrefix begins references to schemas.
	schemaRefPrefix = "#/components/schemas/"
	// objectSchemaPrefix begins the names of schemas that come from the document's.
	objectSchemaPrefix  = "Config"
	documentSchemaName  = objectSchemaPrefix + "Document"
	jsonSchemaRefPrefix = "#/$defs/"

	patchDescription     = "The keys to change, shaped like the object; null removes one (RFC 7396)."
	documentDescription  = "The document, as YAML."
	fileBodyDescription  = "The zone file."
	objectYAMLExplained  = "The object, as YAML."
	unchangedDescription = "The client has it already."
)

// textBody is what an operation takes as text.
type textBody struct {
	kind  config.ObjectKind
	whole bool // it is a document
}

func kindMetadata(kind config.ObjectKind) map[string]any {
	return map[string]any{bodyKey: textBody{kind: kind}}
}

func documentMetadata() map[string]any { return map[string]any{bodyKey: textBody{whole: true}} }

// withCreated lets an operation answer 201, too. Its body is that of 200.
func withCreated(op huma.Operation) huma.Operation {
	op.Responses = map[string]*huma.Response{"201": {Description: http.StatusText(http.StatusCreated), Content: map[string]*huma.MediaType{
		typeJSON: {Schema: &huma.Schema{Ref: schemaRefPrefix + "WriteResult"}}}}}
	return op
}

func notModified() *huma.Response { return &huma.Response{Description: unchangedDescription} }

// objectResponses is what reading an object or a document answers. The schemas come with describeBodies.
func objectResponses() map[string]*huma.Response {
	return map[string]*huma.Response{"304": notModified(), "200": {Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{
		typeJSON: {Schema: &huma.Schema{}}, typeYAML: {Schema: &huma.Schema{Type: huma.TypeString, Description: objectYAMLExplained}}}}}
}

func documentResponses() map[string]*huma.Response {
	out := objectResponses()
	out["200"].Content[typeYAML].Schema.Description = documentDescription
	return out
}

func fileResponses() map[string]*huma.Response {
	return map[string]*huma.Response{"304": notModified(), "200": {Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{
		typeOctets: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary", Description: fileBodyDescription}}}}}
}

// describeBodies says what operations take and give as text. It comes after they are registered: what is said before is checked by huma, and these
// bodies are checked by package config.
func describeBodies(openAPI *huma.OpenAPI) error {
	refs, err := objectSchemaRefs()
	if err != nil {
		return err
	}
	for _, item := range openAPI.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Patch} {
			if op == nil {
				continue
			}
			if body, ok := op.Metadata[bodyKey].(textBody); ok {
				describeBody(op, body, refs)
			}
		}
	}
	return nil
}

func describeBody(op *huma.Operation, body textBody, refs map[config.ObjectKind]*huma.Schema) {
	schema := refs[body.kind] // of kind 0: the document
	if response := op.Responses["200"]; op.Method == http.MethodGet && response != nil && response.Content[typeYAML] != nil {
		response.Content[typeJSON].Schema = schema
	}
	if op.RequestBody == nil {
		return
	}
	text := func(description string) *huma.MediaType {
		return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: description}}
	}
	switch {
	case op.Method == http.MethodPatch:
		op.RequestBody.Content = map[string]*huma.MediaType{typePatch: {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: patchDescription}}}
	case body.kind == config.ObjectFile:
		op.RequestBody.Content = map[string]*huma.MediaType{typeZoneFile: text(fileBodyDescription),
			typeOctets: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary", Description: fileBodyDescription}}}
	case body.whole:
		op.RequestBody.Content = map[string]*huma.MediaType{typeJSON: {Schema: schema}, typeYAML: text(documentDescription),
			typeMultipart: {Schema: &huma.Schema{Type: huma.TypeObject, Required: []string{documentPart}, AdditionalProperties: &huma.Schema{Type: huma.TypeString},
				Properties:  map[string]*huma.Schema{documentPart: {Type: huma.TypeString, Description: documentDescription}},
				Description: "The document with all of its zone files: each of them is a part named file:PATH."}}}
	default:
		op.RequestBody.Content = map[string]*huma.MediaType{typeJSON: {Schema: schema}, typeYAML: text(objectYAMLExplained)}
	}
}

// documentSchema is the JSON Schema of the document, as far as it is looked at here.
type documentSchema struct {
	Properties map[string]struct {
		Ref   string           `json:"$ref"`
		Items *json.RawMessage `json:"items"`
		AnyOf []struct {
			Ref string `json:"$ref"`
		} `json:"anyOf"`
	} `json:"properties"`
}

// objectSchemaRefs returns references to the schemas of the kinds of objects, and under 0 to that of the document.
func objectSchemaRefs() (map[config.ObjectKind]*huma.Schema, error) {
	text, err := config.DocumentSchema()
	if err != nil {
		return nil, err
	}
	var s documentSchema
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("read schema of the document: %w", err)
	}
	refs := map[config.ObjectKind]*huma.Schema{
		0:                      {Ref: schemaRefPrefix + documentSchemaName},
		config.ObjectViewOrder: {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}, Description: "Names of views. The first one that fits a client counts."},
	}
	for _, kind := range config.ObjectKinds {
		p, found := s.Properties[kind.Key()]
		if !found {
			continue
		}
		ref := p.Ref
		if p.Items != nil {
			var items struct {
				Ref string `json:"$ref"`
			}
			if err := json.Unmarshal(*p.Items, &items); err != nil {
				return nil, fmt.Errorf("read schema of %s: %w", kind.Collection(), err)
			}
			ref = items.Ref
		}
		name, ok := strings.CutPrefix(ref, jsonSchemaRefPrefix)
		if !ok {
			return nil, fmt.Errorf("read schema of %s: %q is no reference", kind.Collection(), ref)
		}
		refs[kind] = &huma.Schema{Ref: schemaRefPrefix + objectSchemaPrefix + name}
	}
	return refs, nil
}

// addObjectSchemas puts the schemas of the document into an OpenAPI document, each under a name of its own.
func addObjectSchemas(openAPI map[string]any) error {
	text, err := config.DocumentSchema()
	if err != nil {
		return err
	}
	text = bytes.ReplaceAll(text, []byte(`"`+jsonSchemaRefPrefix), []byte(`"`+schemaRefPrefix+objectSchemaPrefix))
	root, err := decodeNumbers(text)
	if err != nil {
		return fmt.Errorf("read schema of the document: %w", err)
	}
	schemas := openAPI["components"].(map[string]any)["schemas"].(map[string]any)
	for name, s := range root["$defs"].(map[string]any) {
		schemas[objectSchemaPrefix+name] = s
	}
	delete(root, "$defs")
	delete(root, "$schema")
	schemas[documentSchemaName] = root
	return nil
}

// decodeNumbers reads JSON and keeps its numbers as they are written.
func decodeNumbers(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var out map[string]any
	err := d.Decode(&out)
	return out, err
}
