package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"strings"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/revision"
)

// maxFaults bounds how many faults one problem document lists.
const maxFaults = 500

func isStale(err error) bool { return errors.Is(err, revision.ErrStale) }

// unavailable is a request for what this node does not have now.
func unavailable(why string) *problem {
	return newProblem(http.StatusServiceUnavailable, resource.Fault{Pointer: "/path", Code: resource.CodeNothingServedYet, Detail: why})
}

// busy is a request that there is no room for now.
func busy(why string) *problem {
	p := newProblem(http.StatusServiceUnavailable, resource.Fault{Pointer: "/path", Code: resource.CodeBusy, Detail: why})
	p.retry = retryAfter
	return p
}

// problem makes an error of Documents into a refusal. Others, which are for the log, are returned as they are.
func (r *resources) writeProblem(i *intent, err error, now *revision.View, out *revision.Outcome) error {
	var invalid *revision.InvalidError
	var already *problem
	switch {
	case errors.As(err, &already):
		return already
	case errors.As(err, &invalid):
		faults := i.faults(invalid.Problems)
		if len(faults) == 0 {
			return err
		}
		return newProblem(http.StatusUnprocessableEntity, faults...)
	case isStale(err):
		return r.stale(i, err, now)
	}
	return documentsProblem(err, out)
}

// documentsProblem makes the other errors of Documents into refusals.
func documentsProblem(err error, out *revision.Outcome) error {
	switch {
	case errors.Is(err, revision.ErrReadOnly):
		return newProblem(http.StatusConflict, resource.Fault{Pointer: "/path", Code: resource.CodeReadOnly, Detail: err.Error()})
	case errors.Is(err, revision.ErrRefused):
		return lostAnswers(err, out)
	case errors.Is(err, revision.ErrUnknown):
		return newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path", Code: resource.CodeNoSuchRevision, Detail: err.Error()})
	case errors.Is(err, revision.ErrOutcome):
		return newProblem(http.StatusServiceUnavailable, resource.Fault{Pointer: "/path", Code: resource.CodeOutcomeUnknown, Detail: err.Error()})
	case errors.Is(err, revision.ErrUnavailable):
		return newProblem(http.StatusServiceUnavailable, resource.Fault{Pointer: "/path", Code: resource.CodeNotStored, Detail: err.Error()})
	}
	return err
}

// lostAnswers is a write that would leave names without an answer.
func lostAnswers(err error, out *revision.Outcome) error {
	faults := []resource.Fault{{Pointer: "/query/force", Code: resource.CodeAnswersLost, Detail: err.Error()}}
	if out != nil && out.Effect != nil {
		for _, name := range out.Effect.LostNames {
			faults = append(faults, resource.Fault{Pointer: "/names/" + escapePointer(name), Code: resource.CodeAnswersLost,
				Detail: name + " has an answer now and would have none"})
		}
	}
	p := newProblem(http.StatusConflict, faults...)
	p.Detail = err.Error()
	return p
}

// stale is a write that was based on what is not current any more: the problem has what is.
func (r *resources) stale(i *intent, err error, now *revision.View) error {
	p := newProblem(http.StatusPreconditionFailed, resource.Fault{Pointer: "/header/If-Match", Code: resource.CodeStale, Detail: err.Error()})
	p.Revision = now.Revision
	if i.body.Kind == 0 {
		p.ETag = quoted(now.Revision)
	} else if o := now.Objects.Get(i.body); o != nil {
		p.ETag, p.Current = r.tagger.of(o), shownObject(o)
	}
	return p
}

// shownObject is an object in an answer: without its secrets. A file is not shown.
func shownObject(o *config.Object) json.RawMessage {
	if o == nil || o.Key().Kind == config.ObjectFile {
		return nil
	}
	return json.RawMessage(o.Masked())
}

// faults makes the errors among problems into faults.
func (i *intent) faults(problems []config.Problem) []resource.Fault {
	if i.problems != nil {
		if faults := i.problems(problems); len(faults) > 0 {
			return faults
		}
	}
	return problemFaults(problems, config.SeverityError, i.body)
}

// problemFaults makes problems of a severity into faults. Those in the object that was sent lie in the body.
func problemFaults(problems []config.Problem, severity config.Severity, body config.ObjectKey) []resource.Fault {
	var out []resource.Fault
	for _, p := range problems {
		if p.Severity != severity {
			continue
		}
		if len(out) == maxFaults {
			break
		}
		out = append(out, resource.Fault{Pointer: problemPointer(p, body), Code: string(p.Code), Detail: problemText(p), Line: p.Line, Column: p.Column})
	}
	return out
}

func problemPointer(p config.Problem, body config.ObjectKey) string {
	switch {
	case p.Line > 0 && p.File != documentPart: // in a zone file
		if body.Kind == config.ObjectFile && filepath.Clean(body.Name) == p.File {
			return "/body"
		}
		return filePointer(p.File, nil)
	case p.Object == "":
		return "/body" + p.Path
	case p.Object == body.String():
		return "/body" + p.ObjectPath
	}
	return "/objects/" + escapePointer(p.Object) + p.ObjectPath
}

// problemText is what is wrong and what to do.
func problemText(p config.Problem) string {
	if p.Hint == "" {
		return p.Message
	}
	return p.Message + " (" + p.Hint + ")"
}

// escapePointer writes a part of a JSON Pointer.
func escapePointer(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }

// objectProblem is a text that is no object.
func objectProblem(err error) error {
	var bad *config.ObjectError
	if !errors.As(err, &bad) {
		return newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/body", Code: resource.CodeInvalid, Detail: err.Error()})
	}
	var faults []resource.Fault
	for _, p := range bad.Problems {
		faults = append(faults, resource.Fault{Pointer: "/body" + p.Path, Code: string(p.Code), Detail: problemText(p), Line: p.Line, Column: p.Column})
	}
	return newProblem(http.StatusUnprocessableEntity, faults...)
}
