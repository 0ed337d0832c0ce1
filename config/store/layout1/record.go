package layout1

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"fairlead/config"
)

// Layout of the database, version 1. Keys are big-endian sequence numbers, so that order of keys is order of time.
//
//	meta       "version" -> "1"
//	revisions  sequence -> record (JSON)
//	ids        revision id -> newest sequence with it
//	texts      SHA-256 of a text -> count of records that have it (8 bytes), then the text (gzip)
var (
	bucketMeta      = []byte("meta")
	bucketRevisions = []byte("revisions")
	bucketIDs       = []byte("ids")
	bucketTexts     = []byte("texts")
	keyVersion      = []byte("version")
)

const layoutVersion = "1"

// record is a revision as it is kept: texts by hash.
type record struct {
	ID      string            `json:"id"`
	Parents []string          `json:"parents,omitempty"`
	Author  string            `json:"author,omitempty"`
	Source  string            `json:"source,omitempty"`
	Reason  string            `json:"reason,omitempty"`
	Time    time.Time         `json:"time"`
	Name    string            `json:"name,omitempty"`
	Text    []byte            `json:"text"`
	Files   map[string][]byte `json:"files,omitempty"`
}

// prepare creates the buckets of a new file and refuses a file of another layout.
func prepare(tx *bolt.Tx) error {
	for _, name := range [][]byte{bucketMeta, bucketRevisions, bucketIDs, bucketTexts} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bucketMeta)
	switch version := string(meta.Get(keyVersion)); version {
	case layoutVersion:
		return nil
	case "":
		return meta.Put(keyVersion, []byte(layoutVersion))
	default:
		return fmt.Errorf("it has layout %q; this release reads layout %q", version, layoutVersion)
	}
}

func appendRevision(tx *bolt.Tx, rev Revision) error {
	if head, ok := lastSequence(tx); ok {
		newest, err := readRecord(tx, head)
		if err != nil {
			return err
		}
		switch {
		case newest.ID == rev.ID:
			return nil
		case len(rev.Parents) == 0:
			rev.Parents = []string{newest.ID}
		case !slices.Contains(rev.Parents, newest.ID):
			return fmt.Errorf("%w, which is %q", ErrNotHead, newest.ID)
		}
	}
	rec := record{ID: rev.ID, Parents: rev.Parents, Author: rev.Author, Source: rev.Source, Reason: rev.Reason,
		Time: rev.Time.UTC(), Name: rev.Document.Name, Files: map[string][]byte{}}
	var err error
	if rec.Text, err = keepText(tx, rev.Document.Text); err != nil {
		return err
	}
	for name, text := range rev.Document.Files {
		if rec.Files[name], err = keepText(tx, text); err != nil {
			return err
		}
	}
	revisions := tx.Bucket(bucketRevisions)
	seq, err := revisions.NextSequence()
	if err != nil {
		return err
	}
	value, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if err := revisions.Put(key(seq), value); err != nil {
		return err
	}
	if err := tx.Bucket(bucketIDs).Put([]byte(rec.ID), key(seq)); err != nil {
		return err
	}
	return prune(tx, seq)
}

// prune drops what is older than the newest KeptRevisions.
func prune(tx *bolt.Tx, newest uint64) error {
	if newest <= KeptRevisions {
		return nil
	}
	oldest := newest - KeptRevisions // the last one that goes
	c := tx.Bucket(bucketRevisions).Cursor()
	for k, v := c.First(); k != nil && binary.BigEndian.Uint64(k) <= oldest; k, v = c.First() {
		rec, err := decodeRecord(v)
		if err != nil {
			return err
		}
		seq := binary.BigEndian.Uint64(k)
		if current, ok := sequenceOf(tx, rec.ID); ok && current == seq {
			if err := tx.Bucket(bucketIDs).Delete([]byte(rec.ID)); err != nil {
				return err
			}
		}
		for _, hash := range append(slices.Collect(maps.Values(rec.Files)), rec.Text) {
			if err := dropText(tx, hash); err != nil {
				return err
			}
		}
		if err := tx.Bucket(bucketRevisions).Delete(key(seq)); err != nil {
			return err
		}
	}
	return nil
}

func key(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func lastSequence(tx *bolt.Tx) (uint64, bool) {
	k, _ := tx.Bucket(bucketRevisions).Cursor().Last()
	if len(k) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(k), true
}

func sequenceOf(tx *bolt.Tx, id string) (uint64, bool) {
	v := tx.Bucket(bucketIDs).Get([]byte(id))
	if len(v) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(v), true
}

func readRecord(tx *bolt.Tx, seq uint64) (record, error) {
	return decodeRecord(tx.Bucket(bucketRevisions).Get(key(seq)))
}

func decodeRecord(value []byte) (record, error) {
	var rec record
	if err := json.Unmarshal(value, &rec); err != nil {
		return record{}, fmt.Errorf("decode record: %w", err)
	}
	return rec, nil
}

// revision returns the record as a Revision. With content, the texts are read and the id is checked against them.
func (r record) revision(tx *bolt.Tx, content bool) (Revision, error) {
	rev := Revision{ID: r.ID, Parents: r.Parents, Author: r.Author, Source: r.Source, Reason: r.Reason, Time: r.Time}
	if !content {
		return rev, nil
	}
	rev.Document = config.Source{Name: r.Name, Files: make(map[string][]byte, len(r.Files))}
	var err error
	if rev.Document.Text, err = readText(tx, r.Text); err != nil {
		return Revision{}, err
	}
	for name, hash := range r.Files {
		if rev.Document.Files[name], err = readText(tx, hash); err != nil {
			return Revision{}, fmt.Errorf("zone file %q: %w", name, err)
		}
	}
	if got := rev.Document.ID(); got != r.ID {
		return Revision{}, fmt.Errorf("the content kept for revision %q is damaged (its id is %q); %s", r.ID, got, advice)
	}
	return rev, nil
}

// keepText stores a text, or counts one more use of it, and returns its hash.
func keepText(tx *bolt.Tx, text []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	texts := tx.Bucket(bucketTexts)
	if kept := texts.Get(sum[:]); len(kept) >= 8 {
		uses := binary.BigEndian.Uint64(kept) + 1
		return sum[:], texts.Put(sum[:], append(key(uses), kept[8:]...))
	}
	var b bytes.Buffer
	b.Write(key(1))
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed) // large zones must not hold up a start
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return sum[:], texts.Put(sum[:], b.Bytes())
}

func readText(tx *bolt.Tx, hash []byte) ([]byte, error) {
	kept := tx.Bucket(bucketTexts).Get(hash)
	if len(kept) < 8 {
		return nil, fmt.Errorf("text %x is missing", hash)
	}
	r, err := gzip.NewReader(bytes.NewReader(kept[8:]))
	if err != nil {
		return nil, fmt.Errorf("unpack text %x: %w", hash, err)
	}
	text, err := io.ReadAll(io.LimitReader(r, config.MaxSourceBytes+1))
	if err != nil {
		return nil, fmt.Errorf("unpack text %x: %w", hash, err)
	}
	if len(text) > config.MaxSourceBytes {
		return nil, fmt.Errorf("text %x is larger than the limit of %d bytes", hash, config.MaxSourceBytes)
	}
	return text, nil
}

// dropText counts one use less and removes a text that has none left.
func dropText(tx *bolt.Tx, hash []byte) error {
	texts := tx.Bucket(bucketTexts)
	kept := texts.Get(hash)
	if len(kept) < 8 {
		return nil
	}
	if uses := binary.BigEndian.Uint64(kept); uses > 1 {
		return texts.Put(hash, append(key(uses-1), kept[8:]...))
	}
	return texts.Delete(hash)
}
