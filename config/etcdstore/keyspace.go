package etcdstore

import (
	"context"
	"errors"
)

var (
	// errCompacted says that etcd has forgotten what changed since; what is there now has to be read.
	errCompacted = errors.New("etcd has compacted what was to be watched")
	// errSaidNo says that etcd has answered, and does not do what it was asked to: it is full, or the user may not.
	errSaidNo = errors.New("etcd refuses")
	// errTooMuch says that what was asked for at once is more than maxAnswer.
	errTooMuch = errors.New("more than one answer of etcd may have")
	// errNoAnswer says that etcd was asked to do something, and may have done it, or may do it yet.
	errNoAnswer = errors.New("etcd did not answer")
)

// Limits of what is asked of etcd, below what it takes by default: 128 operations and 1.5 MiB in a transaction.
const (
	maxOps   = 100
	maxBytes = 1 << 20
	// maxChunk is the most bytes of one value; what is larger is under several keys.
	maxChunk = 512 << 10
	// pageKeys is how many values one answer has.
	pageKeys = 64
	// maxAnswer bounds one answer, in bytes: a file of 128 MiB, the largest object, fits. maxRead is how many keys below one prefix are read.
	maxAnswer = 160 << 20
	maxRead   = 1024
	// maxTrim is how many keys are removed at once where there are too many.
	maxTrim = 100
)

// item is one key of etcd.
type item struct {
	key     string
	value   []byte
	version int64 // revision of etcd that changed it last
	lease   int64 // with which it goes; 0: none
}

// moment is when, and where, something was read.
type moment struct {
	cluster uint64 // id; another one has another history
	version int64  // revision of etcd
}

// move is a transaction that moves the head.
type move struct {
	key     string
	version int64  // that key must have; 0: it must not exist
	present string // another key that must exist; empty: none
	absent  string // one that must not; empty: none
	put     []item
	once    *item // that goes by itself after onceAge
	remove  []string
}

// keyspace is what the engine needs of etcd. Keys are below a prefix, which is not in them. Of an error that wraps neither errCompacted nor errSaidNo
// it is not known whether etcd was reached.
type keyspace interface {
	// read returns the first maxRead keys under each of some prefixes, at most maxOps of them, at one moment, in order of the keys. An error that
	// wraps errTooMuch says that fewer prefixes may do.
	read(ctx context.Context, prefixes ...string) ([][]item, moment, error)
	// scan returns at most limit items from a key on, and before another; without their values if keysOnly.
	scan(ctx context.Context, from, to string, limit int64, keysOnly bool) ([]item, error)
	// put writes keys, in as many transactions as it takes.
	put(ctx context.Context, items []item) error
	// commit does a move, and reports whether it was done, and the version of what it put. An error that wraps errNoAnswer says that it may have
	// been done, or may be done later; any other one, that it was not and will not.
	commit(ctx context.Context, m *move) (bool, int64, error)
	// drop removes keys that were not changed after a revision of etcd, while a key has a version.
	drop(ctx context.Context, guard string, version int64, keys []string, after int64) (bool, error)
	// probe reports whether a write would be taken. It changes nothing.
	probe(ctx context.Context) error
	// trim removes the oldest keys below a prefix that go by themselves, so that no more than keep are left; at most maxTrim of them at once.
	trim(ctx context.Context, prefix string, keep int64) (int, error)
	// lock takes a key that goes with its owner, or after ttl seconds, and reports whether it was free.
	lock(ctx context.Context, key string, ttl int64) (bool, error)
	// watch calls changed whenever a key has changed after a revision of etcd, until ctx ends or it cannot go on.
	watch(ctx context.Context, key string, after int64, changed func()) error
	close() error
}
