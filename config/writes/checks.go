package writes

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"fairlead/config"
	"fairlead/config/revision"
)

// MaxConfirm is the longest that a write can wait to be confirmed.
const MaxConfirm = 24 * time.Hour

// After is the document that a write makes of another one. Removing what is not there is an error that wraps revision.ErrUnknown.
func After(w *revision.Write, now *config.Objects) (*config.Objects, error) {
	base := now
	if w.Replace != nil {
		base = WithLater(w.Replace, now).Sharing(now) // what is known of objects that stay is known still
	}
	for _, k := range w.Remove {
		if now.Get(k) == nil {
			return nil, fmt.Errorf("remove %s: %w", k, revision.ErrUnknown)
		}
	}
	return base.With(w.Put, w.Remove), nil
}

// WithLater adds to a whole document what only a later release knows: whoever wrote it here could not have meant to remove that.
func WithLater(document, now *config.Objects) *config.Objects {
	var later []*config.Object
	for o := range now.All {
		if !o.Key().Kind.Valid() {
			later = append(later, o)
		}
	}
	if later == nil {
		return document
	}
	return document.With(later, nil)
}

// CheckTexts holds what a write says of itself against the limits. The error wraps revision.ErrRefused.
func CheckTexts(w *revision.Write) error {
	for name, text := range map[string]string{"author": w.Author, "source": w.Source, "reason": w.Reason} {
		if len(text) > revision.MaxText || !utf8.ValidString(text) {
			return fmt.Errorf("%w: the %s has %d bytes; at most %d of UTF-8 are allowed", revision.ErrRefused, name, len(text), revision.MaxText)
		}
	}
	if w.Confirm < 0 || w.Confirm > MaxConfirm {
		return fmt.Errorf("%w: confirm within %v is not within 0 and %v", revision.ErrRefused, w.Confirm, MaxConfirm)
	}
	return nil
}

// CheckStale holds a write against what is there now. The error wraps revision.ErrStale.
func CheckStale(w *revision.Write, view *revision.View) error {
	if w.Base != "" && w.Base != view.Revision {
		return fmt.Errorf("%w: it was made from revision %s, and %s is current", revision.ErrStale, w.Base, view.Revision)
	}
	for k, want := range w.Match {
		var have config.ObjectHash
		if o := view.Objects.Get(k); o != nil {
			have = o.Hash()
		}
		switch {
		case have == want:
		case want == config.ObjectHash{}:
			return fmt.Errorf("%w: %s exists", revision.ErrStale, k)
		case have == config.ObjectHash{}:
			return fmt.Errorf("%w: %s does not exist any more", revision.ErrStale, k)
		default:
			return fmt.Errorf("%w: %s was changed", revision.ErrStale, k)
		}
	}
	return nil
}

// Compile makes a candidate of a document that somebody wants, where view is what counts now. What is wrong already, since a merge made it so, does not stop a write that has
// nothing to do with it; a write may not add to it.
func Compile(ctx context.Context, compiler Compiler, objects *config.Objects, view *revision.View) (Candidate, error) {
	c, err := compiler.Compile(ctx, objects, false)
	if err == nil || len(view.Inert) == 0 {
		return c, err
	}
	lenient, lenientErr := compiler.Compile(ctx, objects, true)
	if lenientErr != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, p := range view.Inert {
		known[problemKey(p)] = true
	}
	for _, p := range lenient.Inert() {
		if !known[problemKey(p)] {
			return nil, err
		}
	}
	return lenient, nil
}

func problemKey(p config.Problem) string {
	if p.Object == "" {
		return strings.Join([]string{string(p.Code), p.Path, p.Message}, "\x00")
	}
	return strings.Join([]string{string(p.Code), p.Object, p.ObjectPath, p.Message}, "\x00")
}

// RefuseLost holds the rule that no name goes from some answer to none by accident. The error wraps revision.ErrRefused.
func RefuseLost(w *revision.Write, effect *revision.Effect) error {
	if effect == nil || len(effect.LostNames) == 0 || w.Force {
		return nil
	}
	return fmt.Errorf("%w: %d names that are answered now would have no answer: %s; force it if that is meant", revision.ErrRefused,
		len(effect.LostNames), strings.Join(effect.LostNames[:min(len(effect.LostNames), 10)], ", "))
}
