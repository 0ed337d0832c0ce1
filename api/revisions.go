package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/internal/access"
)

const (
	revisionsPath = "/v1/revisions"
	// currentWord stands for the newest revision in addresses.
	currentWord = "current"
	// maxListedObjects is how many objects of a revision are named in lists.
	maxListedObjects = 20
	// maxSearched is how many revisions one page of a filtered history looks at.
	maxSearched = 2000
)

type revisionsInput struct {
	Object string `query:"object" maxLength:"1100" doc:"Only revisions that changed this object, such as service/web-ams."`
	Author string `query:"author" maxLength:"256" doc:"Only revisions of this author."`
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Most entries on a page."`
	Cursor string `query:"cursor" maxLength:"256" doc:"next_cursor of the page before."`

	before string
	object config.ObjectKey
}

// Resolve reads the cursor and the object.
func (in *revisionsInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	var err error
	if in.before, err = readCursor(in.Cursor); err != nil {
		faults = append(faults, err)
	}
	if in.Object != "" {
		var ok bool
		if in.object, ok = config.ParseObjectKey(in.Object); !ok {
			faults = append(faults, fault("/query/object", resource.CodeInvalid, "object is not a kind and a name such as service/web-ams, but %s", echo(in.Object)))
		}
		in.object.Name = config.CanonicalObjectName(in.object.Kind, in.object.Name)
	}
	return faults
}

type revisionsOutput struct {
	Link string `header:"Link" doc:"The following page (rel=next, RFC 8288)."`
	Body resource.RevisionList
}

type revisionInput struct {
	ID string `path:"id" maxLength:"64" doc:"The revision, or at least 4 first digits of it; current for the newest."`
}

// Resolve refuses query parameters.
func (in *revisionInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type revisionConfigInput struct {
	ID      string `path:"id" maxLength:"64" doc:"The revision, or at least 4 first digits of it; current for the newest."`
	Secrets bool   `query:"secrets" doc:"With what is else shown as ***. For administrators; it is in the audit log."`
}

// Resolve refuses query parameters.
func (in *revisionConfigInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type revisionOutput struct{ Body resource.Revision }

type revisionDiffInput struct {
	A string `path:"a" maxLength:"64" doc:"The revision to start from."`
	B string `path:"b" maxLength:"64" doc:"The revision to compare it with."`
}

// Resolve refuses query parameters.
func (in *revisionDiffInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type revisionDiffOutput struct{ Body resource.RevisionDiff }

type rollbackInput struct {
	ID string `path:"id" maxLength:"64" doc:"The revision to go back to, or at least 4 first digits of it."`
	WriteParams
	Object []string `query:"object" doc:"Only these objects, such as service/web-ams. Absent: the whole document."`
}

// Resolve reads the headers.
func (in *rollbackInput) Resolve(ctx huma.Context) []error { return in.resolveWrite(ctx) }

type confirmInput struct {
	ID string `path:"id" maxLength:"64" doc:"The revision to keep, or at least 4 first digits of it."`
}

// Resolve refuses query parameters.
func (in *confirmInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

func (r *resources) registerRevisions(rest huma.API) {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: revisionsPath + path, Tags: []string{"revisions"}, Summary: summary}
	}
	register(r, rest, op("list-revisions", http.MethodGet, "", "What came into effect here, newest first"), readProblems, r.listRevisions)
	register(r, rest, op("get-revision", http.MethodGet, "/{id}", "One revision and what it changed"), readProblems, r.getRevision)
	whole := op("read-revision-config", http.MethodGet, "/{id}/config", "The whole document as it was after a revision")
	whole.Responses, whole.Metadata = documentResponses(), documentMetadata()
	register(r, rest, whole, readProblems, r.readRevisionConfig)
	register(r, rest, op("diff-revisions", http.MethodGet, "/{a}/diff/{b}", "How the documents of two revisions differ"), readProblems, r.diffRevisions)
	register(r, rest, op("rollback-revision", http.MethodPost, "/{id}/rollback", "Go back to the document of a revision, or to some of its objects"), writeProblems, r.rollback)
	register(r, rest, op("confirm-revision", http.MethodPost, "/{id}/confirm", "Keep what was written with confirm"), writeProblems, r.confirmRevision)
}

func (r *resources) listRevisions(_ context.Context, in *revisionsInput) (*revisionsOutput, error) {
	docs, _, err := r.documents()
	if err != nil {
		return nil, err
	}
	out := &revisionsOutput{Body: resource.RevisionList{Revisions: []resource.Revision{}}}
	before, searched := in.before, 0
	for {
		page, err := docs.History(before, in.Limit+1)
		if err != nil {
			return nil, documentsProblem(err, nil)
		}
		for n, e := range page {
			if len(out.Body.Revisions) == in.Limit || searched == maxSearched {
				out.Body.NextCursor = cursor(before)
				out.Link = in.nextLink(out.Body.NextCursor)
				return out, nil
			}
			if searched++; in.fits(&page[n]) {
				out.Body.Revisions = append(out.Body.Revisions, describeRevisionEntry(&page[n]))
			}
			before = e.Revision.ID
		}
		if len(page) <= in.Limit {
			return out, nil
		}
	}
}

func (in *revisionsInput) fits(e *revision.Entry) bool {
	if in.Author != "" && e.Revision.Author != in.Author {
		return false
	}
	if in.Object == "" {
		return true
	}
	for _, c := range e.Revision.Changes {
		if c.Key == in.object {
			return true
		}
	}
	return false
}

func (in *revisionsInput) nextLink(next string) string {
	q := url.Values{"limit": {strconv.Itoa(in.Limit)}, "cursor": {next}}
	for name, value := range map[string]string{"object": in.Object, "author": in.Author} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return fmt.Sprintf("<%s?%s>; rel=\"next\"", revisionsPath, q.Encode())
}

// describeRevisionEntry describes one line of the history, without what it changed.
func describeRevisionEntry(e *revision.Entry) resource.Revision {
	out := describeRevision(e.Revision)
	out.Current, out.From, out.Applied = e.View, e.From, e.Applied.UTC()
	if !e.Pending.IsZero() {
		out.ConfirmBy = e.Pending.UTC()
	}
	return out
}

func describeRevision(v *revision.Revision) resource.Revision {
	out := resource.Revision{ID: v.ID, Parents: append([]string{}, v.Parents...), Site: v.Site, Author: v.Author, Source: v.Source, Reason: v.Reason, Changed: len(v.Changes)}
	if !v.Time.IsZero() {
		out.Time = v.Time.UTC()
	}
	for i, c := range v.Changes {
		if i == maxListedObjects {
			break
		}
		out.Objects = append(out.Objects, c.Key.String())
	}
	return out
}

// find returns the line of the history that an address means.
func (r *resources) find(docs revision.Documents, id, place string) (*revision.Entry, error) {
	if id == currentWord {
		id = docs.Current().Revision
	}
	e, err := docs.Find(id)
	if errors.Is(err, revision.ErrUnknown) {
		return nil, newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path/" + place, Code: resource.CodeNoSuchRevision,
			Detail: fmt.Sprintf("the history has no revision %q, or not any more, or several begin so; %s lists them", clip(id), revisionsPath)})
	}
	return e, err
}

func (r *resources) getRevision(_ context.Context, in *revisionInput) (*revisionOutput, error) {
	docs, _, err := r.documents()
	if err != nil {
		return nil, err
	}
	e, err := r.find(docs, in.ID, "id")
	if err != nil {
		return nil, err
	}
	out := &revisionOutput{describeRevisionEntry(e)}
	after, err := docs.At(e.Revision.ID)
	if err != nil {
		return out, nil // its meta data are all that is left
	}
	previous, err := docs.History(e.Revision.ID, 1)
	if err != nil {
		return nil, documentsProblem(err, nil)
	}
	before := config.NewObjects(nil)
	if len(previous) > 0 {
		if before, err = docs.At(previous[0].Revision.ID); err != nil {
			return out, nil
		}
	}
	out.Body.Changes, out.Body.MoreChanges = r.describeChanges(objectChanges(config.Diff(before, after)))
	return out, nil
}

// documentAt returns the document as it was after a revision.
func (r *resources) documentAt(docs revision.Documents, id, place string) (*revision.Entry, *config.Objects, error) {
	e, err := r.find(docs, id, place)
	if err != nil {
		return nil, nil, err
	}
	objects, err := docs.At(e.Revision.ID)
	if err != nil {
		return nil, nil, documentsProblem(err, nil)
	}
	return e, objects, nil
}

func (r *resources) readRevisionConfig(ctx context.Context, in *revisionConfigInput) (*textOutput, error) {
	docs, _, err := r.documents()
	if err != nil {
		return nil, err
	}
	e, objects, err := r.documentAt(docs, in.ID, "id")
	if err != nil {
		return nil, err
	}
	out := &textOutput{Status: http.StatusOK, ETag: quoted(e.Revision.ID), Revision: e.Revision.ID, Vary: "Accept"}
	return out, r.wholeText(ctx, out, objects, in.Secrets)
}

func (r *resources) diffRevisions(_ context.Context, in *revisionDiffInput) (*revisionDiffOutput, error) {
	docs, _, err := r.documents()
	if err != nil {
		return nil, err
	}
	a, before, err := r.documentAt(docs, in.A, "a")
	if err != nil {
		return nil, err
	}
	b, after, err := r.documentAt(docs, in.B, "b")
	if err != nil {
		return nil, err
	}
	out := &revisionDiffOutput{resource.RevisionDiff{From: a.Revision.ID, To: b.Revision.ID}}
	out.Body.Changes, out.Body.MoreChanges = r.describeChanges(objectChanges(config.Diff(before, after)))
	return out, nil
}

func (r *resources) rollback(ctx context.Context, in *rollbackInput) (*writeOutput, error) {
	docs, _, err := r.documents()
	if err != nil {
		return nil, err
	}
	e, objects, err := r.documentAt(docs, in.ID, "id")
	if err != nil {
		return nil, err
	}
	i := &intent{in: &in.WriteParams, action: "rollback", object: "document", source: "rollback", admin: len(in.Object) == 0,
		sent: []byte(in.ID + "\x00" + strings.Join(in.Object, "\x00"))}
	if i.in.Reason == "" {
		i.in.Reason = "back to " + e.Revision.ID
	}
	if len(in.Object) > 0 {
		i.action, i.object, i.source = "restore", strings.Join(in.Object, ","), "restore"
	}
	i.build = func(current *revision.View) (*revision.Write, error) {
		if len(in.Object) == 0 {
			return &revision.Write{Replace: objects}, nil
		}
		return pickObjects(in.Object, objects, current.Objects)
	}
	out, err := r.write(ctx, i)
	if err != nil {
		return nil, err
	}
	return r.outputOf(out, i.in), nil
}

// pickObjects makes some objects what they were. What did not exist is removed.
func pickObjects(names []string, then, now *config.Objects) (*revision.Write, error) {
	w := &revision.Write{}
	for _, name := range names {
		key, ok := config.ParseObjectKey(name)
		key.Name = config.CanonicalObjectName(key.Kind, key.Name)
		was, is := then.Get(key), now.Get(key)
		switch {
		case !ok:
			return nil, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/query/object", Code: resource.CodeInvalid,
				Detail: "object is not a kind and a name such as service/web-ams, but " + echo(name)})
		case was != nil:
			w.Put = append(w.Put, was)
		case is != nil:
			w.Remove = append(w.Remove, key)
		default:
			return nil, noSuchObject(key, then)
		}
	}
	return w, nil
}

func (r *resources) confirmRevision(ctx context.Context, in *confirmInput) (*revisionOutput, error) {
	docs, _, err := r.documents()
	if err != nil {
		return nil, err
	}
	e, err := r.find(docs, in.ID, "id")
	if err != nil {
		return nil, err
	}
	who := access.From(ctx)
	i := &intent{in: &WriteParams{}, action: "confirm", object: "revision/" + e.Revision.ID}
	err = who.Could(access.Write)
	if err == nil && e.Revision.Author != authorOf(who) {
		err = who.May(access.Write) // of who is limited to labels, their own ones alone
	}
	if err != nil {
		return nil, r.refusedWrite(ctx, i, err)
	}
	if e.Pending.IsZero() {
		return nil, newProblem(http.StatusConflict, resource.Fault{Pointer: "/path/id", Code: resource.CodeNothingToKeep,
			Detail: "the revision does not wait to be confirmed: it stays, or was undone already"})
	}
	if err := r.auditedDo(ctx, i.entry(), func() error { return docs.Confirm(ctx, e.Revision.ID, authorOf(who)) }); err != nil {
		return nil, documentsProblem(err, nil)
	}
	out := describeRevisionEntry(e)
	out.ConfirmBy = time.Time{}
	return &revisionOutput{out}, nil
}
