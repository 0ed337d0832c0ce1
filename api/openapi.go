package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"go.uber.org/zap"

	"fairlead/adns"
	"fairlead/api/resource"
	"fairlead/gslb"
)

const openAPIPath = "/openapi.json"

// openAPIConfig is huma without its extras: no page with scripts from elsewhere, no links to schemas in bodies, JSON only.
func openAPIConfig(version string) huma.Config {
	if version == "" {
		version = "unknown" // the key is required
	}
	c := huma.DefaultConfig("Fairlead", version)
	c.Info.Description = "State, explanations and load reports of one Fairlead node, and the GSLB document that all sites share."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	c.Transformers = []huma.Transformer{asProblem}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":       {Type: "http", Scheme: "bearer", Description: "A token, as fairlead token create makes them."},
		"certificate": {Type: "mutualTLS", Description: "A client certificate with a subject of the node file."},
	}
	c.Security = []map[string][]string{{"token": {}}, {"certificate": {}}, {}} // the last: from the same machine, where the node file lets
	return c
}

// register adds an operation. problems are the statuses, besides 401, 403, 421, 429 and 500, with which it may be refused. What its
// handler returns as an error is a *problem, or something for the log.
func register[I, O any](r *resources, rest huma.API, op huma.Operation, problems []int, handle func(context.Context, *I) (*O, error)) {
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = MaxBodyBytes
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	schema := rest.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[resource.Problem](), true, "Problem")
	middlewares := huma.Middlewares{r.checksRights(op.OperationID)}
	if op.MaxBodyBytes > MaxBodyBytes {
		middlewares = append(middlewares, r.largeBody(op.BodyReadTimeout))
	}
	op.Middlewares = append(middlewares, op.Middlewares...)
	for _, status := range append(slices.Clone(problems), http.StatusUnauthorized, http.StatusForbidden, http.StatusMisdirectedRequest,
		http.StatusTooManyRequests, http.StatusInternalServerError) {
		response := &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{problemType: {Schema: schema}},
		}
		if status == http.StatusServiceUnavailable {
			response.Headers = map[string]*huma.Param{"Retry-After": {Description: "Seconds after which to ask again, where that is known.",
				Schema: &huma.Schema{Type: huma.TypeInteger}}}
		}
		op.Responses[strconv.Itoa(status)] = response
	}
	huma.Register(rest, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err == nil {
			return out, nil
		}
		if p := (*problem)(nil); errors.As(err, &p) {
			return nil, p
		}
		r.log.Error("api.failed", zap.String("operation", op.OperationID), zap.Error(err))
		return nil, failure()
	})
}

// plainRoute is a GET that answers in text, outside of huma.
type plainRoute struct {
	path, summary string
	handler       http.Handler
	query         *huma.Param
	also          int // status it may answer with besides 200
	media         string
}

// plain routes and documents a plainRoute.
func (r *resources) plain(rest huma.API, router chi.Router, p plainRoute) {
	router.Method(http.MethodGet, p.path, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.allow(p.path[1:], w, req) {
			p.handler.ServeHTTP(w, req)
		}
	}))
	if p.media == "" {
		p.media = "text/plain"
	}
	op := &huma.Operation{
		OperationID: p.path[1:], Method: http.MethodGet, Path: p.path, Summary: p.summary, Tags: []string{"node"},
		Responses: map[string]*huma.Response{},
	}
	if p.query != nil {
		op.Parameters = []*huma.Param{p.query}
	}
	for _, status := range []int{http.StatusOK, p.also} {
		if status != 0 {
			op.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status),
				Content: map[string]*huma.MediaType{p.media: {Schema: &huma.Schema{Type: huma.TypeString}}}}
		}
	}
	rest.OpenAPI().AddOperation(op)
}

// description is the OpenAPI document as text, and as a page.
type description struct{ text, page []byte }

// registerOpenAPI serves the document, which does not change any more. It is written when somebody first asks for it: that takes as
// long as all the rest of a node's start, and most nodes are never asked.
func (r *resources) registerOpenAPI(rest huma.API, router chi.Router) error {
	written := sync.OnceValues(func() (description, error) { return describe(rest.OpenAPI()) })
	serve := func(send func(http.ResponseWriter, *description)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			d, err := written()
			if err != nil {
				r.log.Error("api.failed", zap.String("operation", openAPIPath[1:]), zap.Error(err))
				writeProblem(w, failure())
				return
			}
			send(w, &d)
		})
	}
	r.plain(rest, router, plainRoute{path: docsPath, summary: "This interface as a page for people", media: "text/html",
		handler: serve(func(w http.ResponseWriter, d *description) { writePage(w, d.page) })})
	r.plain(rest, router, plainRoute{path: openAPIPath, summary: "This document", media: "application/json",
		handler: serve(func(w http.ResponseWriter, d *description) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(d.text) // the client is gone; there is nobody to tell
		})})
	loosen(rest.OpenAPI().Components.Schemas.Map())
	listWords(rest.OpenAPI().Components.Schemas.Map())
	if err := describeBodies(rest.OpenAPI()); err != nil {
		return fmt.Errorf("write OpenAPI document: %w", err)
	}
	return nil
}

// describe writes an OpenAPI document.
func describe(api *huma.OpenAPI) (d description, err error) {
	if d.text, err = json.Marshal(api); err != nil {
		return d, fmt.Errorf("write OpenAPI document: %w", err)
	}
	whole, err := decodeNumbers(d.text)
	if err != nil {
		return d, fmt.Errorf("write OpenAPI document: %w", err)
	}
	if err := addObjectSchemas(whole); err != nil {
		return d, fmt.Errorf("write OpenAPI document: %w", err)
	}
	if d.text, err = json.Marshal(whole); err != nil {
		return d, fmt.Errorf("write OpenAPI document: %w", err)
	}
	d.page, err = referencePage(whole)
	return d, err
}

// loosen lets responses grow: a reader that validates must not stumble over a key that a later release adds. It also takes
// out the schemas of huma's own errors, which no response has.
func loosen(schemas map[string]*huma.Schema) {
	requests := []string{"LoadReport", "RTTReport", "Order", "Withdrawal", "MeasurementReport", "ReportedValue", "MonitorQuestion", "Resolution", "NewToken"}
	for name, s := range schemas {
		switch {
		case name == "ErrorModel" || name == "ErrorDetail":
			delete(schemas, name)
		case !slices.Contains(requests, name) && s.AdditionalProperties == false:
			s.AdditionalProperties = nil
		}
	}
}

// wordsExtension lists the words that a text has so far. It is no enum, which would make a reader that validates refuse
// later ones.
const wordsExtension = "x-extensible-enum"

// listWords lists the words of explanations.
func listWords(schemas map[string]*huma.Schema) {
	list := func(name, property string, words []any) {
		if s := schemas[name]; s != nil && s.Properties[property] != nil {
			s.Properties[property].Extensions = map[string]any{wordsExtension: words}
		}
	}
	var reasons, kinds []any
	for _, r := range append(gslb.Reasons(), adns.Reasons()...) {
		reasons = append(reasons, string(r))
	}
	for _, k := range gslb.ChangeKinds() {
		kinds = append(kinds, string(k))
	}
	list("Entry", "reason", reasons)
	list("Candidate", "reason", reasons)
	list("Change", "kind", kinds)
}

// onlyJSON hides the Accept header from huma: nearly all resources have one representation.
func onlyJSON(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		next.ServeHTTP(w, keepAccept(req))
	})
}

// strictQuery refuses query parameters that the operation does not have: a misspelt filter must not look like one that
// matched everything.
func strictQuery(ctx huma.Context) []error {
	u := ctx.URL()
	var names []string
	for name := range u.Query() {
		known := slices.ContainsFunc(ctx.Operation().Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name })
		if !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var faults []error
	for _, name := range names {
		faults = append(faults, fault("/query/"+clip(name), resource.CodeUnknown, "there is no parameter %q here", clip(name)))
	}
	return faults
}
