package api

import (
	"context"
	"net/http"
	"runtime"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
)

type versionOutput struct{ Body resource.Version }

func (r *resources) registerVersion(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "get-version", Method: http.MethodGet, Path: "/v1/version", Tags: []string{"node"},
		Summary: "What runs here"}, nil, func(context.Context, *struct{}) (*versionOutput, error) {
		return &versionOutput{resource.Version{Version: r.Version, Go: runtime.Version(), Site: r.Site}}, nil
	})
}
