package writes

import (
	"context"

	"fairlead/config"
	"fairlead/config/revision"
)

// Candidate is a document that can be served.
type Candidate interface {
	// Warnings are what is doubtful in it. Inert is what of it has no effect, since it is wrong; a strict candidate has none.
	Warnings() []config.Problem
	Inert() []config.Problem
}

// Compiler knows what a document means. Its methods are called by one goroutine at a time.
type Compiler interface {
	// Compile makes a document ready to be served, and serves nothing. A lenient one leaves out what is wrong, the same at every site. An
	// error that is a *revision.InvalidError lists the problems.
	Compile(ctx context.Context, objects *config.Objects, lenient bool) (Candidate, error)
	// Effect says what changes for who asks. before is nil when nothing is served yet. The result may be nil: not known.
	Effect(ctx context.Context, before, after Candidate) (*revision.Effect, error)
	// Adopt serves a candidate from when it returns, in place of the one before.
	Adopt(c Candidate, v *revision.View)
}
