package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"fairlead/api/resource"
)

const (
	problemType = "application/problem+json"
	// maxEchoed bounds what a fault repeats of a value that was sent.
	maxEchoed = 64
)

// problem is a refusal on its way out. It is an error that says its own status.
type problem struct {
	resource.Problem
	retry time.Duration // when the same request may go better; 0: that is not known
	// challenge says how to say who one is; empty: that would not help.
	challenge string
}

// GetHeaders returns Retry-After (RFC 9110 section 10.2.3) and WWW-Authenticate (section 11.6.1), where there is something to say.
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.retry+time.Second-1)/time.Second)))
	}
	if p.challenge != "" {
		h.Set("WWW-Authenticate", p.challenge)
	}
	return h
}

// Error returns the detail.
func (p *problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// ContentType names the media type of problems.
func (p *problem) ContentType(string) string { return problemType }

// newProblem returns a refusal for what faults say.
func newProblem(status int, faults ...resource.Fault) *problem {
	p := &problem{Problem: resource.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Errors: faults}}
	switch len(faults) {
	case 0:
	case 1:
		p.Detail = faults[0].Detail
	default:
		p.Detail = fmt.Sprintf("%d things are wrong with the request; errors lists them", len(faults))
	}
	return p
}

// failure is a request that failed for no fault of its own. What happened is in the log.
func failure() *problem {
	p := newProblem(http.StatusInternalServerError)
	p.Detail = "the request failed inside this node; its log says why"
	return p
}

func notReady() *problem {
	p := newProblem(http.StatusServiceUnavailable, resource.Fault{Pointer: "/path", Code: resource.CodeNothingServedYet,
		Detail: "the node is starting and serves no document yet; ask again in a moment"})
	p.retry = retryAfter
	return p
}

// writeProblem answers outside of huma.
func writeProblem(w http.ResponseWriter, p *problem) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone; there is nobody to tell
}

func noSuchResource(w http.ResponseWriter, req *http.Request) {
	writeProblem(w, newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path", Code: resource.CodeNoSuchResource,
		Detail: fmt.Sprintf("there is nothing at %q; /openapi.json lists what there is", clip(req.URL.Path))}))
}

// methodNotAllowed refuses a method and names those that the path takes (RFC 9110 section 15.5.6).
func methodNotAllowed(router chi.Routes) http.HandlerFunc {
	methods := []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete}
	return func(w http.ResponseWriter, req *http.Request) {
		var allowed []string
		path := req.URL.Path
		if req.URL.RawPath != "" {
			path = req.URL.RawPath
		}
		for _, m := range methods {
			if !router.Match(chi.NewRouteContext(), m, path) {
				continue
			}
			if allowed = append(allowed, m); m == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
		}
		list := strings.Join(allowed, ", ")
		w.Header().Set("Allow", list)
		writeProblem(w, newProblem(http.StatusMethodNotAllowed, resource.Fault{Pointer: "/path", Code: resource.CodeMethod,
			Detail: fmt.Sprintf("%s takes %s, not %s", clip(req.URL.Path), list, clip(req.Method))}))
	}
}

// fault is a problem found by a Resolver: huma collects it with its own.
func fault(pointer, code, format string, args ...any) error {
	f := resource.Fault{Pointer: pointer, Code: code, Detail: fmt.Sprintf(format, args...)}
	return &huma.ErrorDetail{Message: f.Detail, Value: f}
}

// asProblem is the transformer that gives huma's own errors the form of all others.
func asProblem(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	if len(m.Errors) == 0 {
		return newProblem(m.Status, bareFault(m.Status, m.Detail, ctx.Operation().MaxBodyBytes)), nil
	}
	faults := make([]resource.Fault, len(m.Errors))
	for i, d := range m.Errors {
		faults[i] = faultOf(m.Status, d)
	}
	return newProblem(m.Status, faults...), nil
}

// bareFault is the fault of an error that huma gives no place.
func bareFault(status int, detail string, limit int64) resource.Fault {
	f := resource.Fault{Pointer: "/body", Code: resource.CodeInvalid, Detail: detail}
	switch status {
	case http.StatusRequestEntityTooLarge:
		f.Code, f.Detail = resource.CodeRequestTooLarge, fmt.Sprintf("the body has more than the limit of %d bytes", limit)
	case http.StatusBadRequest:
		f.Code, f.Detail = resource.CodeRequired, "the body is missing"
	}
	return f
}

// faultOf translates one of huma's errors.
func faultOf(status int, d *huma.ErrorDetail) resource.Fault {
	if f, ok := d.Value.(resource.Fault); ok {
		return f
	}
	f := resource.Fault{Pointer: pointer(d.Location), Code: resource.CodeInvalid, Detail: d.Message}
	property, isRequired := strings.CutPrefix(d.Message, "expected required property ")
	switch {
	case status == http.StatusUnsupportedMediaType:
		f.Pointer, f.Code = "/header/Content-Type", resource.CodeMediaType
		f.Detail = "the body is not declared to be JSON; send Content-Type: application/json"
	case isRequired:
		f.Pointer += "/" + strings.TrimSuffix(property, " to be present")
		f.Code, f.Detail = resource.CodeRequired, f.Pointer[1:]+" is missing"
	case strings.HasPrefix(d.Message, "required "):
		f.Code, f.Detail = resource.CodeRequired, f.Pointer[1:]+" is missing"
	case d.Message == "unexpected property":
		f.Code, f.Detail = resource.CodeUnknown, "there is no "+clip(f.Pointer[1:])+" here"
	case status == http.StatusBadRequest:
		f.Detail = "the body is not JSON: " + d.Message
	case f.Pointer != "/body":
		f.Detail += ", not " + echo(d.Value)
	}
	return f
}

var locationIndex = regexp.MustCompile(`\[(\d+)\]`)

// pointer turns a location of huma's ("body.items[3].name") into a pointer ("/body/items/3/name").
func pointer(location string) string {
	return "/" + strings.ReplaceAll(locationIndex.ReplaceAllString(location, ".$1"), ".", "/")
}

// echo shows a value that was sent.
func echo(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "that"
	}
	return clip(string(text))
}

// clip bounds a text that came from outside.
func clip(s string) string {
	if len(s) > maxEchoed {
		return strings.ToValidUTF8(s[:maxEchoed], "") + "..."
	}
	return s
}
