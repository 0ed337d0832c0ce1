package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/internal/access"
)

// maxListBytes ends a page of objects before it is more than clients read.
const maxListBytes = 4 << 20

// objectsInput narrows a list of objects down.
type objectsInput struct {
	Site   string   `query:"site" maxLength:"127" doc:"Only services and service groups of this site."`
	Label  []string `query:"label" doc:"Only objects with all of these labels, as team=web,env=prod; a key alone: with any value."`
	Limit  int      `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Most entries on a page."`
	Cursor string   `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before."`

	after string // name that the page before ended with; set by Resolve
}

// Resolve refuses what is not a parameter here, and what is not a cursor.
func (in *objectsInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	var err error
	if in.after, err = readCursor(in.Cursor); err != nil {
		faults = append(faults, err)
	}
	return faults
}

type objectsOutput struct {
	Link string `header:"Link" doc:"The following page (rel=next, RFC 8288)."`
	Body resource.ObjectList
}

// objectInput asks for one object.
type objectInput struct {
	Name        string `path:"name" maxLength:"1024" doc:"Name in the document."`
	IfNoneMatch string `header:"If-None-Match" maxLength:"2048" doc:"ETag that the client has: 304 when the object is still the same."`
	Secrets     bool   `query:"secrets" doc:"With what is else shown as ***. For administrators; it is in the audit log."`

	none tags
}

// Resolve refuses query parameters.
func (in *objectInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	var err error
	if in.none, err = readTags("If-None-Match", in.IfNoneMatch); err != nil {
		faults = append(faults, err)
	}
	return faults
}

type settingsInput struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"2048" doc:"ETag that the client has: 304 when it is still the same."`
	Secrets     bool   `query:"secrets" doc:"With what is else shown as ***. For administrators; it is in the audit log."`

	none tags
}

// Resolve refuses query parameters.
func (in *settingsInput) Resolve(ctx huma.Context) []error {
	o := objectInput{IfNoneMatch: in.IfNoneMatch}
	faults := o.Resolve(ctx)
	in.none = o.none
	return faults
}

// textOutput is an object or a document as a text.
type textOutput struct {
	Status      int
	ContentType string `header:"Content-Type"`
	ETag        string `header:"ETag" doc:"What If-Match takes."`
	Revision    string `header:"Fairlead-Revision" doc:"Revision of the document that it was read from."`
	Vary        string `header:"Vary"`
	Body        []byte
}

func (r *resources) registerObjects(rest huma.API) {
	for _, kind := range config.ObjectKinds {
		switch kind {
		case config.ObjectSettings, config.ObjectViewOrder:
			r.registerSingle(rest, kind)
		case config.ObjectFile:
			r.registerFiles(rest)
		default:
			r.registerKind(rest, kind)
		}
	}
}

// registerKind adds the resources of a kind of which there are many.
func (r *resources) registerKind(rest huma.API, kind config.ObjectKind) {
	path := "/v1/" + kind.Collection()
	word := strings.ReplaceAll(kind.String(), "-", " ")
	op := func(verb, method, at, summary string) huma.Operation {
		return huma.Operation{OperationID: verb, Method: method, Path: at, Tags: []string{"objects"}, Summary: summary, Metadata: kindMetadata(kind)}
	}
	register(r, rest, op("list-"+kind.String()+"-objects", http.MethodGet, path, "The "+strings.ReplaceAll(kind.Collection(), "-", " ")+" of the document"), readProblems,
		func(_ context.Context, in *objectsInput) (*objectsOutput, error) { return r.listObjects(kind, in) })
	read := op("read-"+kind.String(), http.MethodGet, path+"/{name}", "One "+word+" of the document")
	read.Responses = objectResponses()
	register(r, rest, read, readProblems, func(ctx context.Context, in *objectInput) (*textOutput, error) {
		return r.readObject(ctx, config.ObjectKey{Kind: kind, Name: config.CanonicalObjectName(kind, in.Name)}, in.none, in.Secrets)
	})
	register(r, rest, withCreated(op("put-"+kind.String(), http.MethodPut, path+"/{name}", "Create or replace one "+word)), writeProblems,
		func(ctx context.Context, in *putInput) (*writeOutput, error) {
			return r.putObject(ctx, kind, in.Name, &in.ObjectParams, in.RawBody)
		})
	register(r, rest, op("patch-"+kind.String(), http.MethodPatch, path+"/{name}", "Change some keys of one "+word+" (RFC 7396)"), writeProblems,
		func(ctx context.Context, in *putInput) (*writeOutput, error) {
			return r.patchObject(ctx, kind, in.Name, &in.ObjectParams, in.RawBody)
		})
	register(r, rest, op("delete-"+kind.String(), http.MethodDelete, path+"/{name}", "Delete one "+word), writeProblems,
		func(ctx context.Context, in *deleteInput) (*writeOutput, error) {
			return r.deleteObject(ctx, kind, in.Name, &in.ObjectParams)
		})
}

// registerSingle adds the resource of a kind of which there is one.
func (r *resources) registerSingle(rest huma.API, kind config.ObjectKind) {
	path := "/v1/" + kind.Collection()
	word := map[config.ObjectKind]string{config.ObjectSettings: "the settings of the document", config.ObjectViewOrder: "the order in which views are tried"}[kind]
	op := func(verb, method, summary string) huma.Operation {
		return huma.Operation{OperationID: verb + "-" + kind.String(), Method: method, Path: path, Tags: []string{"objects"}, Summary: summary, Metadata: kindMetadata(kind)}
	}
	read := op("read", http.MethodGet, strings.ToUpper(word[:1])+word[1:])
	read.Responses = objectResponses()
	register(r, rest, read, readProblems, func(ctx context.Context, in *settingsInput) (*textOutput, error) {
		return r.readObject(ctx, config.ObjectKey{Kind: kind, Name: config.CanonicalObjectName(kind, "")}, in.none, in.Secrets)
	})
	register(r, rest, withCreated(op("put", http.MethodPut, "Write "+word)), writeProblems, func(ctx context.Context, in *putSingleInput) (*writeOutput, error) {
		return r.putObject(ctx, kind, "", &in.ObjectParams, in.RawBody)
	})
	if kind == config.ObjectSettings {
		register(r, rest, op("patch", http.MethodPatch, "Change some of "+word+" (RFC 7396)"), writeProblems, func(ctx context.Context, in *putSingleInput) (*writeOutput, error) {
			return r.patchObject(ctx, kind, "", &in.ObjectParams, in.RawBody)
		})
	}
	register(r, rest, op("delete", http.MethodDelete, "Go back to what counts without "+word), writeProblems, func(ctx context.Context, in *deleteSingleInput) (*writeOutput, error) {
		return r.deleteObject(ctx, kind, "", &in.ObjectParams)
	})
}

// listObjects lists by name, so that a page can go on where the last one ended although objects came and went.
func (r *resources) listObjects(kind config.ObjectKind, in *objectsInput) (*objectsOutput, error) {
	_, v, err := r.documents()
	if err != nil {
		return nil, err
	}
	out := &objectsOutput{Body: resource.ObjectList{Kind: kind.String(), Objects: []resource.ObjectItem{}, Revision: v.Revision}}
	size, last := 0, ""
	v.Objects.From(config.ObjectKey{Kind: kind, Name: in.after}, func(o *config.Object) bool {
		switch {
		case o.Key().Kind != kind:
			return false
		case o.Key().Name == in.after || !in.fits(o):
			return true
		case len(out.Body.Objects) == in.Limit || size > maxListBytes:
			out.Body.NextCursor = cursor(last)
			return false
		}
		item := resource.ObjectItem{Name: o.Key().Name, ETag: r.tagger.of(o), Object: shownObject(o)}
		if kind == config.ObjectFile {
			item.Size = len(o.Text())
		}
		last, size = item.Name, size+len(item.Object)
		out.Body.Objects = append(out.Body.Objects, item)
		return true
	})
	if out.Body.NextCursor != "" {
		out.Link = in.nextLink("/v1/"+kind.Collection(), out.Body.NextCursor)
	}
	return out, nil
}

// fits reports whether an object passes the filters.
func (in *objectsInput) fits(o *config.Object) bool {
	if in.Site != "" && o.Field("site") != in.Site {
		return false
	}
	if len(in.Label) == 0 {
		return true
	}
	labels := o.Labels()
	for _, want := range in.Label {
		key, value, said := strings.Cut(want, "=")
		if got, has := labels[key]; !has || said && got != value {
			return false
		}
	}
	return true
}

// nextLink is the Link header (RFC 8288) of the page after.
func (in *objectsInput) nextLink(path, next string) string {
	q := url.Values{"limit": {strconv.Itoa(in.Limit)}, "cursor": {next}}
	if in.Site != "" {
		q.Set("site", in.Site)
	}
	if len(in.Label) > 0 {
		q.Set("label", strings.Join(in.Label, ","))
	}
	return fmt.Sprintf("<%s?%s>; rel=\"next\"", path, q.Encode())
}

func (r *resources) readObject(ctx context.Context, key config.ObjectKey, have tags, secrets bool) (*textOutput, error) {
	_, v, err := r.documents()
	if err != nil {
		return nil, err
	}
	o := v.Objects.Get(key)
	if o == nil {
		return nil, noSuchObject(key, v.Objects)
	}
	out := &textOutput{Status: http.StatusOK, ContentType: typeJSON, ETag: r.tagger.of(o), Revision: v.Revision, Vary: "Accept"}
	if have.has(out.ETag) {
		out.Status, out.ContentType = http.StatusNotModified, ""
		return out, nil
	}
	if secrets {
		if err := r.showSecrets(ctx, key.String()); err != nil {
			return nil, err
		}
	}
	switch yaml := wantsYAML(ctx); {
	case key.Kind == config.ObjectFile:
		out.ContentType, out.Vary, out.Body = typeOctets, "", o.Text()
	case yaml && secrets:
		out.ContentType, out.Body = typeYAML, o.YAML()
	case yaml:
		out.ContentType, out.Body = typeYAML, o.MaskedYAML()
	case secrets:
		out.Body = append(o.Text()[:len(o.Text()):len(o.Text())], '\n')
	default:
		out.Body = append([]byte(shownObject(o)), '\n')
	}
	return out, nil
}

// showSecrets lets administrators see secrets, and keeps in mind that they did.
func (r *resources) showSecrets(ctx context.Context, object string) error {
	i := &intent{in: &WriteParams{}, action: "show-secrets", object: object}
	if err := access.From(ctx).May(access.Administer); err != nil {
		return r.refusedWrite(ctx, i, err)
	}
	return r.auditedDo(ctx, i.entry(), func() error { return nil })
}

// maxSuggested bounds the names that are searched for one that was meant.
const maxSuggested = 20_000

// noSuchObject says so, with the name that was perhaps meant.
func noSuchObject(key config.ObjectKey, objects *config.Objects) error {
	detail := fmt.Sprintf("the document has no %s %q", strings.ReplaceAll(key.Kind.String(), "-", " "), clip(key.Name))
	if key.Kind == config.ObjectSettings || key.Kind == config.ObjectViewOrder {
		detail = fmt.Sprintf("the document has no %s; what counts without is in docs/configuration.md", key.Kind.Collection())
	} else if meant := similarName(key, objects); meant != "" {
		detail += fmt.Sprintf("; did you mean %q?", meant)
	} else {
		detail += "; /v1/" + key.Kind.Collection() + " lists them"
	}
	return newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path/name", Code: resource.CodeNoSuchObject, Detail: detail})
}

// similarName returns the only object whose name is the same but for case, or contains what was asked for; "" for none or several.
func similarName(key config.ObjectKey, objects *config.Objects) string {
	var found []string
	n := 0
	objects.From(config.ObjectKey{Kind: key.Kind}, func(o *config.Object) bool {
		if n++; o.Key().Kind != key.Kind || n > maxSuggested {
			return false
		}
		if name := o.Key().Name; strings.EqualFold(name, key.Name) || len(key.Name) >= 3 && strings.Contains(name, key.Name) {
			found = append(found, name)
		}
		return len(found) < 2
	})
	sort.Strings(found)
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// writeOutput is what a write answers.
type writeOutput struct {
	Status   int
	ETag     string `header:"ETag" doc:"What If-Match takes now."`
	Revision string `header:"Fairlead-Revision" doc:"The revision that was made."`
	Body     resource.WriteResult
}

func (r *resources) outputOf(out *revision.Outcome, in *WriteParams) *writeOutput {
	res := &writeOutput{Status: http.StatusOK, Body: *r.describeOutcome(out, in, time.Now())}
	res.Revision = res.Body.Revision
	return res
}
