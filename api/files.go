package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/config"
)

const filesPath = "/v1/files"

type fileInput struct {
	Path        string `path:"path" maxLength:"1024" doc:"Path of the file, as the document writes it. Slashes may be written as they are."`
	IfNoneMatch string `header:"If-None-Match" maxLength:"2048" doc:"ETag that the client has: 304 when the file is still the same."`

	none tags
}

// Resolve refuses query parameters.
func (in *fileInput) Resolve(ctx huma.Context) []error {
	o := objectInput{IfNoneMatch: in.IfNoneMatch}
	faults := o.Resolve(ctx)
	in.none = o.none
	return faults
}

type putFileInput struct {
	Path string `path:"path" maxLength:"1024" doc:"Path of the file, as the document writes it. Slashes may be written as they are."`
	ObjectParams
	RawBody []byte
}

// Resolve reads the headers.
func (in *putFileInput) Resolve(ctx huma.Context) []error { return in.resolve(ctx) }

type deleteFileInput struct {
	Path string `path:"path" maxLength:"1024" doc:"Path of the file, as the document writes it. Slashes may be written as they are."`
	ObjectParams
}

// Resolve reads the headers.
func (in *deleteFileInput) Resolve(ctx huma.Context) []error { return in.resolve(ctx) }

// registerFiles adds the resources of zone files.
func (r *resources) registerFiles(rest huma.API) {
	op := func(verb, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: verb, Method: method, Path: path, Tags: []string{"objects"}, Summary: summary, Metadata: kindMetadata(config.ObjectFile)}
	}
	register(r, rest, op("list-file-objects", http.MethodGet, filesPath, "The zone files of the document"), readProblems,
		func(_ context.Context, in *objectsInput) (*objectsOutput, error) {
			return r.listObjects(config.ObjectFile, in)
		})
	read := op("read-file", http.MethodGet, filesPath+"/{path}", "One zone file")
	read.Responses = fileResponses()
	register(r, rest, read, readProblems, func(ctx context.Context, in *fileInput) (*textOutput, error) {
		return r.readObject(ctx, config.ObjectKey{Kind: config.ObjectFile, Name: in.Path}, in.none, false)
	})
	put := withCreated(op("put-file", http.MethodPut, filesPath+"/{path}", "Create or replace one zone file"))
	put.MaxBodyBytes, put.BodyReadTimeout = config.MaxDocumentBytes, largeBodyTimeout
	register(r, rest, put, writeProblems, func(ctx context.Context, in *putFileInput) (*writeOutput, error) {
		return r.putObject(ctx, config.ObjectFile, in.Path, &in.ObjectParams, in.RawBody)
	})
	register(r, rest, op("delete-file", http.MethodDelete, filesPath+"/{path}", "Delete one zone file"), writeProblems,
		func(ctx context.Context, in *deleteFileInput) (*writeOutput, error) {
			return r.deleteObject(ctx, config.ObjectFile, in.Path, &in.ObjectParams)
		})
}

// slashedNames are the addresses whose last part is one name although it may have slashes: prefixes of locations and paths of files.
var slashedNames = []struct{ prefix, suffix string }{
	{"/v1/locations/", ""},
	{filesPath + "/", ""},
	{conflictsPath + "/location/", "/resolve"},
	{conflictsPath + "/file/", "/resolve"},
}

// oneName lets such names be written with their slashes: they are routed as if these were escaped.
func oneName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		path := req.URL.EscapedPath()
		for _, s := range slashedNames {
			name, ok := strings.CutPrefix(path, s.prefix)
			if ok {
				name, ok = strings.CutSuffix(name, s.suffix)
			}
			if ok && strings.Contains(name, "/") {
				u := *req.URL
				u.RawPath = s.prefix + strings.ReplaceAll(name, "/", "%2F") + s.suffix
				again := req.WithContext(req.Context())
				again.URL = &u
				req = again
				break
			}
		}
		next.ServeHTTP(w, req)
	})
}
