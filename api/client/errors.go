package client

import (
	"fmt"
	"strings"

	"fairlead/api/resource"
)

// Unreachable is the error when no node answered at the address. Err says why.
type Unreachable struct {
	Address string
	Err     error
}

// Error names the address and what to look at.
func (e *Unreachable) Error() string {
	return fmt.Sprintf("no node answers at %s: %v", e.Address, e.Err)
}

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Err }

// Problem is a refusal: the node was reached and said no.
type Problem struct{ resource.Problem }

// Error is the detail, and each fault on a line of its own when there are several.
func (e *Problem) Error() string {
	if len(e.Errors) < 2 {
		return e.Detail
	}
	var b strings.Builder
	b.WriteString(e.Detail)
	for _, f := range e.Errors {
		fmt.Fprintf(&b, "\n  %s: %s", strings.TrimPrefix(f.Pointer, "/"), f.Detail)
	}
	return b.String()
}

// NotFound is a Problem of status 404: what was asked about does not exist there.
type NotFound struct{ Problem }

// Unwrap returns the Problem, so that errors.As finds both.
func (e *NotFound) Unwrap() error { return &e.Problem }
