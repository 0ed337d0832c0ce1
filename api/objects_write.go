package api

import (
	"bytes"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/internal/audit"
)

// ObjectParams are what writes of one object take besides their bodies. It is exported for huma alone.
type ObjectParams struct {
	WriteParams
	IfMatch     string `header:"If-Match" maxLength:"2048" doc:"ETag that the object must have still; * for any: 412 when it has another one."`
	IfNoneMatch string `header:"If-None-Match" maxLength:"2048" doc:"* when the object must not exist yet."`
	ContentType string `header:"Content-Type" hidden:"true"`

	match, none tags
}

// resolve reads the headers.
func (in *ObjectParams) resolve(ctx huma.Context) []error {
	faults := in.resolveWrite(ctx)
	var err error
	if in.match, err = readTags("If-Match", in.IfMatch); err != nil {
		faults = append(faults, err)
	}
	if in.none, err = readTags("If-None-Match", in.IfNoneMatch); err != nil {
		faults = append(faults, err)
	} else if len(in.none.list) > 0 {
		faults = append(faults, fault("/header/If-None-Match", resource.CodeInvalid, "If-None-Match of a write is *, which means: only when it does not exist"))
	}
	return faults
}

type putInput struct {
	Name string `path:"name" maxLength:"1024" doc:"Name in the document."`
	ObjectParams
	RawBody []byte
}

// Resolve reads the headers.
func (in *putInput) Resolve(ctx huma.Context) []error { return in.resolve(ctx) }

type putSingleInput struct {
	ObjectParams
	RawBody []byte
}

// Resolve reads the headers.
func (in *putSingleInput) Resolve(ctx huma.Context) []error { return in.resolve(ctx) }

type deleteInput struct {
	Name string `path:"name" maxLength:"1024" doc:"Name in the document."`
	ObjectParams
}

// Resolve reads the headers.
func (in *deleteInput) Resolve(ctx huma.Context) []error { return in.resolve(ctx) }

type deleteSingleInput struct{ ObjectParams }

// Resolve reads the headers.
func (in *deleteSingleInput) Resolve(ctx huma.Context) []error { return in.resolve(ctx) }

// fixed reports whether the author named what the write is based on.
func (in *ObjectParams) fixed() bool { return !in.match.absent() || !in.none.absent() }

// conditions returns what an object must be for the write to happen. ok is false when it cannot be so.
func (in *ObjectParams) conditions(t tagger, key config.ObjectKey, now *config.Object) (m map[config.ObjectKey]config.ObjectHash, ok bool) {
	switch {
	case in.none.any:
		return map[config.ObjectKey]config.ObjectHash{key: {}}, in.match.absent()
	case in.match.absent():
		return nil, true
	case in.match.has(t.of(now)):
		return map[config.ObjectKey]config.ObjectHash{key: now.Hash()}, true
	case len(in.match.list) > 0:
		// It is stale now, but may be the repetition of a write that was made: the store knows.
		return map[config.ObjectKey]config.ObjectHash{key: noObject(in.match.list[0])}, true
	}
	return nil, false
}

// intent is a write of one object.
func (in *ObjectParams) intent(action string, key config.ObjectKey, sent []byte) *intent {
	return &intent{in: &in.WriteParams, action: action, object: key.String(), fixed: in.fixed(), body: key,
		sent: bytes.Join([][]byte{[]byte(in.IfMatch), []byte(in.IfNoneMatch), sent}, []byte{0})}
}

// unmet is a write whose conditions cannot hold.
func (r *resources) unmet(i *intent, now *revision.View) error {
	p := r.stale(i, revision.ErrStale, now).(*problem)
	p.Errors[0].Detail = "the object is not what the request says it must be; current is what it is now"
	if now.Objects.Get(i.body) == nil {
		p.Errors[0].Detail = "the object does not exist, and the request says that it must"
	}
	p.Detail = p.Errors[0].Detail
	return p
}

func (r *resources) putObject(ctx context.Context, kind config.ObjectKind, name string, in *ObjectParams, body []byte) (*writeOutput, error) {
	if kind != config.ObjectFile {
		if _, err := textMedia(in.ContentType, false, false); err != nil {
			return nil, err
		}
	}
	sent, err := config.NewObject(kind, name, body) // which does not keep the body
	if err != nil {
		return nil, objectProblem(err)
	}
	key := sent.Key()
	i := in.intent("put", key, sent.Text())
	i.build = func(current *revision.View) (*revision.Write, error) {
		now := current.Objects.Get(key)
		match, ok := in.conditions(r.tagger, key, now)
		if !ok {
			return nil, r.unmet(i, current)
		}
		whole, err := sent.Unmask(now)
		if err != nil {
			return nil, objectProblem(err)
		}
		if whole != sent && match == nil {
			match = map[config.ObjectKey]config.ObjectHash{key: hashOf(now)} // what its secrets were taken from
		}
		return &revision.Write{Match: match, Put: []*config.Object{whole}}, nil
	}
	return r.writeObject(ctx, i)
}

func (r *resources) patchObject(ctx context.Context, kind config.ObjectKind, name string, in *ObjectParams, body []byte) (*writeOutput, error) {
	if _, err := textMedia(in.ContentType, true, false); err != nil {
		return nil, err
	}
	key := config.ObjectKey{Kind: kind, Name: config.CanonicalObjectName(kind, name)}
	i := in.intent("patch", key, body)
	i.build = func(current *revision.View) (*revision.Write, error) {
		now := current.Objects.Get(key)
		match, ok := in.conditions(r.tagger, key, now)
		if !ok {
			return nil, r.unmet(i, current)
		}
		if match == nil {
			match = map[config.ObjectKey]config.ObjectHash{key: hashOf(now)} // what the patch was applied to
		}
		base := now
		if base == nil && kind == config.ObjectSettings {
			base, _ = config.NewObject(kind, "", []byte("{}"))
		}
		if base == nil {
			return nil, noSuchObject(key, current.Objects)
		}
		patched, err := config.MergePatch(base, body)
		if err != nil {
			return nil, objectProblem(err)
		}
		if patched, err = patched.Unmask(now); err != nil {
			return nil, objectProblem(err)
		}
		return &revision.Write{Match: match, Put: []*config.Object{patched}}, nil
	}
	return r.writeObject(ctx, i)
}

func (r *resources) deleteObject(ctx context.Context, kind config.ObjectKind, name string, in *ObjectParams) (*writeOutput, error) {
	key := config.ObjectKey{Kind: kind, Name: config.CanonicalObjectName(kind, name)}
	i := in.intent("delete", key, nil)
	i.build = func(current *revision.View) (*revision.Write, error) {
		now := current.Objects.Get(key)
		if now == nil && in.Key == "" {
			return nil, noSuchObject(key, current.Objects)
		}
		match, ok := in.conditions(r.tagger, key, now)
		if !ok {
			return nil, r.unmet(i, current)
		}
		return &revision.Write{Match: match, Remove: []config.ObjectKey{key}}, nil
	}
	return r.writeObject(ctx, i)
}

// writeObject makes a write of one object and answers with its new tag.
func (r *resources) writeObject(ctx context.Context, i *intent) (*writeOutput, error) {
	out, err := r.write(ctx, i)
	if err != nil {
		return nil, err
	}
	res := r.outputOf(out, i.in)
	for _, c := range out.Changes {
		if c.Key == i.body {
			res.ETag = r.tagger.of(c.After)
			if c.Before == nil && !i.in.DryRun {
				res.Status = http.StatusCreated
			}
		}
	}
	if len(out.Changes) == 0 && out.View != nil {
		res.ETag = r.tagger.of(out.View.Objects.Get(i.body))
	}
	return res, nil
}

// entry is what the audit log says of a write, before what was changed.
func (i *intent) entry() audit.Entry {
	return audit.Entry{Action: i.action, Object: i.object, Reason: i.in.Reason}
}
