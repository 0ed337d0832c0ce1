package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
)

type documentInput struct{}

// Resolve refuses query parameters.
func (in *documentInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type documentOutput struct{ Body resource.Document }

func (r *resources) registerDocument(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "get-document-status", Method: http.MethodGet, Path: "/v1/status/document", Tags: []string{"status"},
		Summary: "Which document is in use"}, []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.document)
}

func (r *resources) document(context.Context, *documentInput) (*documentOutput, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	out := &documentOutput{resource.Document{
		ID: r.documentID(st.DocumentID), Source: st.DocumentSource, Since: st.Since.UTC(), LastError: st.LastError, Snapshot: st.Snapshot.Generation,
	}}
	if r.Gathering != nil {
		out.Body.Waiting = r.Gathering().String()
	}
	return out, nil
}
