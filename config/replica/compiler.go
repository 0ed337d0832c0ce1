package replica

import "fairlead/config/writes"

// Candidate is a document that can be served; Compiler knows what a document means. See package writes.
type (
	Candidate = writes.Candidate
	Compiler  = writes.Compiler
)
