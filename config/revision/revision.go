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
	// MaxChanges is how many objects one revision can change. What its encoding may have is mostly less: see MaxEncoded.
	MaxChanges = 2_000_000
	// MaxName bounds the name of an object, and MaxActor that of a store, in bytes.
	MaxName  = 4096
	MaxActor = 128
	// MaxParents is how many newest revisions one can follow.
	MaxParents = MaxActors
	// MaxEncoded bounds the encoding of a revision or a state, in bytes: some 200,000 objects.
	MaxEncoded = 15 << 20
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
	Seen    Vector    // what it was based on; its own dot is not in it
	Site    string    // where it was written
	Author  string    // who
	Source  string    // how: file, seed, api, cli, console, rollback, etcd, restore, resolve
	Reason  string    // why, in the author's words
	Time    time.Time // of the hybrid clock, in microseconds; zero for a seed
	Changes []Change  // in order of the keys, each once
	Extra   []byte    // what a later release wrote behind all this: kept as it is
}
