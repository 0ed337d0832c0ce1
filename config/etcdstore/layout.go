package etcdstore

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// Keys, below the prefix. What is below objects, revisions, manifests and undo is never changed; a value above maxChunk is under several keys,
// with /0000, /0001 and so on behind.
const (
	headKey      = "head"       // JSON: which revision counts
	objectsKey   = "objects/"   // KIND/NAME/HASH: the canonical text of an object
	revisionsKey = "revisions/" // NUMBER-ID: a revision's encoding
	manifestsKey = "manifests/" // NUMBER-ID: a revision.State
	pendingKey   = "pending/"   // ID: JSON: a revision that is undone unless confirmed
	undoKey      = "undo/"      // ID: JSON: what was there before it
	onceKey      = "once/"      // idempotency key: ID; goes by itself
	collectKey   = "collected"  // JSON: when was looked last for what nobody needs any more
	lockKey      = "collecting" // who looks now
	turnKey      = "turn"       // is there while one node writes that was too late several times; goes by itself

	layout = 1
	// manifestEvery is how many revisions a newcomer reads at most, behind a manifest.
	manifestEvery = 64
)

// errLayout says that a later release has written to etcd.
var errLayout = errors.New("the head in etcd is of another release")

// head is the value of headKey.
type head struct {
	Layout   int       `json:"layout"`
	Lineage  string    `json:"lineage"` // made when etcd had no document: another one is another history
	Number   uint64    `json:"number"`  // of the revision, from 1
	Revision string    `json:"revision"`
	Document string    `json:"document"`
	Manifest uint64    `json:"manifest"` // number of the newest revision with a manifest
	Base     string    `json:"base"`     // and its id
	Site     string    `json:"site"`
	Author   string    `json:"author"`
	Source   string    `json:"source"`
	Reason   string    `json:"reason"`
	Time     time.Time `json:"time"`
}

func decodeHead(b []byte) (*head, error) {
	h := new(head)
	if err := json.Unmarshal(b, h); err != nil {
		return nil, fmt.Errorf("read the head in etcd: %w", err)
	}
	switch {
	case h.Layout != layout:
		return nil, fmt.Errorf("%w: it has layout %d, and this one knows %d", errLayout, h.Layout, layout)
	case h.Lineage == "" || h.Number == 0 || h.Revision == "" || h.Manifest == 0 || h.Manifest > h.Number || h.Base == "":
		return nil, errors.New("the head in etcd lacks its lineage, number, revision or manifest")
	}
	return h, nil
}

// actor names the one history that all nodes write.
func (h *head) actor() string { return "etcd:" + h.Lineage }

func numbered(prefix string, number uint64, id string) string {
	return fmt.Sprintf("%s%012d-%s", prefix, number, id)
}

func objectKey(k config.ObjectKey, hash config.ObjectHash) string {
	return objectsKey + k.Kind.String() + "/" + url.PathEscape(k.Name) + "/" + hex.EncodeToString(hash[:])
}

// chunked divides a value.
func chunked(key string, value []byte) []item {
	if len(value) <= maxChunk {
		return []item{{key: key, value: value}}
	}
	var out []item
	for i := 0; len(value) > 0; i++ {
		n := min(len(value), maxChunk)
		out = append(out, item{key: fmt.Sprintf("%s/%04d", key, i), value: value[:n]})
		value = value[n:]
	}
	return out
}

// joined puts the chunks of one value together again.
func joined(items []item) []byte {
	if len(items) == 1 {
		return items[0].value
	}
	var b bytes.Buffer
	for _, it := range items {
		b.Write(it.value)
	}
	return b.Bytes()
}

// wholeKey is a key without the number of its chunk.
func wholeKey(key string) string {
	if i := len(key) - 5; i > 0 && key[i] == '/' && strings.Trim(key[i+1:], "0123456789") == "" {
		return key[:i]
	}
	return key
}

// decodeRevision reads a revision that must be a certain one.
func decodeRevision(b []byte, h *head, number uint64, id string) (*revision.Revision, error) {
	r, err := revision.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("read revision %d in etcd: %w", number, err)
	}
	if r.ID != id || r.Dot.Actor != h.actor() || r.Dot.Seq != number || number > 1 && len(r.Parents) != 1 {
		return nil, fmt.Errorf("revision %d in etcd is not %s", number, id)
	}
	return r, nil
}

// waiting is a write that is undone unless somebody confirms it.
type waiting struct {
	Revision string    `json:"revision"`
	Until    time.Time `json:"until"`
	Within   string    `json:"within"`
	Site     string    `json:"site,omitempty"` // whose clock Until is of
}

// undoLine is one object: what the write put, and what was there before. Zeros: nothing.
type undoLine struct {
	Kind   config.ObjectKind `json:"kind"`
	Name   string            `json:"name"`
	Put    config.ObjectHash `json:"put"`
	Before config.ObjectHash `json:"before"`
}
