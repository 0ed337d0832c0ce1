package client

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"fairlead/api/resource"
)

// Media types of texts.
const (
	TypeJSON  = "application/json"
	TypeYAML  = "application/yaml"
	TypePatch = "application/merge-patch+json"
)

// Objects of any kind are asked for by their collection, which is the part of the address after /v1: services, or settings. Of settings and
// view-order there is one, whose name is not said.

func objectPath(collection, name string) string {
	path := "/v1/" + url.PathEscape(collection)
	if collection == "settings" || collection == "view-order" {
		return path
	}
	return path + "/" + url.PathEscape(name)
}

// ReadObject reads one object as JSON or YAML. A file is what it is. One that is not there is *NotFound.
func (a API) ReadObject(ctx context.Context, collection, name, media string, p ReadParams) (*Text, error) {
	return a.readAs(ctx, objectPath(collection, name), media, p)
}

// ReadDocument reads the whole document as JSON or YAML: that of a revision, or the current one when that is empty.
func (a API) ReadDocument(ctx context.Context, revision, media string, p ReadParams) (*Text, error) {
	path := "/v1/config"
	if revision != "" {
		path = "/v1/revisions/" + url.PathEscape(revision) + "/config"
	}
	return a.readAs(ctx, path, media, p)
}

func (a API) readAs(ctx context.Context, path, media string, p ReadParams) (*Text, error) {
	i := &invocation{method: http.MethodGet, path: path, query: url.Values{}, header: http.Header{}}
	i.set("header", "Accept", media)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	i.setBool("query", "secrets", p.Secrets)
	return a.text(ctx, i)
}

// maxObjectPages bounds how many pages of objects are read for one list.
const maxObjectPages = 100_000

// ListObjects returns all objects of a kind that pass the filter, by name: all pages as one, without a cursor. Revision is that of the first page.
// With Limit, it is one page of at most so many.
func (a API) ListObjects(ctx context.Context, collection string, p ListObjectsParams) (*resource.ObjectList, error) {
	one := p.Limit > 0
	if !one {
		p.Limit = 1000
	}
	var all *resource.ObjectList
	for range maxObjectPages {
		i := &invocation{method: http.MethodGet, path: "/v1/" + url.PathEscape(collection), query: url.Values{}, header: http.Header{}}
		i.set("query", "site", p.Site)
		i.setList("query", "label", p.Label)
		i.setInt("query", "limit", p.Limit)
		i.set("query", "cursor", p.Cursor)
		page, err := invoke[resource.ObjectList](ctx, a, i)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = page
		} else {
			all.Objects, all.NextCursor = append(all.Objects, page.Objects...), page.NextCursor
		}
		if one || page.NextCursor == "" {
			return all, nil
		}
		p.Cursor = page.NextCursor
	}
	return nil, fmt.Errorf("list %s: there are more than %d pages", collection, maxObjectPages)
}

// WriteObject makes a write of one object: PUT, PATCH or DELETE. body is nil for DELETE.
func (a API) WriteObject(ctx context.Context, method, collection, name string, body *Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: method, path: objectPath(collection, name), query: url.Values{}, header: http.Header{}, text: body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, a, i)
}

// DocumentForm makes the body of a whole document with all the zone files that it is to have, by the paths that it writes.
func DocumentForm(document []byte, files map[string][]byte) (Text, error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part := func(name, media string, text []byte) error {
		head := textproto.MIMEHeader{}
		head.Set("Content-Disposition", `form-data; name="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "").Replace(name)+`"`)
		head.Set("Content-Type", media)
		w, err := form.CreatePart(head)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	}
	err := part("document", TypeYAML, document)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if err == nil {
			err = part("file:"+path, "application/octet-stream", files[path])
		}
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		return Text{}, fmt.Errorf("write form: %w", err)
	}
	return Text{Type: form.FormDataContentType(), Body: b.Bytes()}, nil
}
