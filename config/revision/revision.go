package revision

import (
	"time"

	"fairlead/config"
)

// Limits of revisions.
const (
	// MaxText bounds author, source, reason and site, in bytes.
	MaxText = 4096
	// MaxActors is how many stores a Vector can name.
	MaxActors = 4096
	// MaxChanges is how many objects one revision can change.
	MaxChanges = 2_000_000
)

// Dot names one revision: the nth of an actor, counted from 1.
type Dot struct {
	Actor string
	Seq   uint64
}

// Vector is a set of revisions: of each actor all up to a number.
type Vector map[string]uint64

// Change is what a revision does to one object. An empty Hash removes it. Equal to what was there, it settles a conflict.
type Change struct {
	Key  config.ObjectKey
	Hash config.ObjectHash
}

// Revision is one accepted write. ID is the hash of all else.
type Revision struct {
	ID      string // 32 hexadecimal digits
	Parents []string
	Dot     Dot
	Seen    Vector // what it was based on; its own dot is not in it
	Site    string // where it was written
	Author  string // who
	Source  string // how: file, seed, api, cli, console, rollback, etcd, restore, resolve
	Reason  string // why, in the author's words
	Time    time.Time
	Changes []Change // in order of the keys, each once
}
