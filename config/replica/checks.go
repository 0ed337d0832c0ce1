package replica

import (
	"context"

	"fairlead/config"
	"fairlead/config/revision"
)

// CheckWrite holds a write against the document as it is now, for stores of documents that are no Engine. Errors wrap ErrRefused, ErrStale or
// ErrUnknown of package revision.
func CheckWrite(w *revision.Write, view *revision.View) error {
	if err := checkTexts(w); err != nil {
		return err
	}
	return stale(w, view)
}

// RefuseLost holds the rule that no name goes from some answer to none by accident. The error wraps revision.ErrRefused.
func RefuseLost(w *revision.Write, effect *revision.Effect) error { return refuseLost(w, effect) }

// CompileWrite makes a candidate of a document that somebody wants, where view is what counts now: what is wrong in that already does not stop a
// write that has nothing to do with it.
func CompileWrite(ctx context.Context, c Compiler, objects *config.Objects, view *revision.View) (Candidate, error) {
	e := &Engine{opts: Options{Compiler: c}}
	e.current.Store(view)
	return e.compile(ctx, objects)
}
