package store

import (
	"encoding/binary"
	"fmt"
	"strings"

	bolt "go.etcd.io/bbolt"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
)

// leastPrefix is how many first digits of an id are enough to find a line, if no other has them.
const leastPrefix = 4

func bigEndian(k []byte) uint64 { return binary.BigEndian.Uint64(k) }

// History lists what came into effect here, newest first, from the one after the revision before; "" is the newest.
func (s *Store) History(before string, limit int) ([]revision.Entry, error) {
	var out []revision.Entry
	err := s.view("history", func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketLog).Cursor()
		k, v := c.Last()
		if before != "" {
			number, err := findLine(tx, before)
			if err != nil {
				return err
			}
			c.Seek(numberKey(number))
			k, v = c.Prev()
		}
		for ; k != nil && len(out) < limit; k, v = c.Prev() {
			line, err := lineOf(k, v, false)
			if err != nil {
				return err
			}
			out = append(out, line.Entry)
		}
		return nil
	})
	return out, err
}

func lineOf(k, sealed []byte, steps bool) (*replica.LogLine, error) {
	v, err := unseal(bucketLog, k, sealed)
	if err != nil {
		return nil, err
	}
	return decodeLine(v, steps)
}

// findLine returns the number of the newest line with an id, or with one that begins so. The error wraps revision.ErrUnknown.
func findLine(tx *bolt.Tx, id string) (uint64, error) {
	if len(id) < leastPrefix {
		return 0, fmt.Errorf("revision %q: %w; write at least %d digits of its id", id, revision.ErrUnknown, leastPrefix)
	}
	id = strings.ToLower(id)
	exact, err := get(tx, bucketIDs, []byte(id))
	if err != nil {
		return 0, err
	}
	if len(exact) == 8 {
		return bigEndian(exact), nil
	}
	c := tx.Bucket(bucketIDs).Cursor()
	var found []uint64
	for k, sealed := c.Seek([]byte(id)); strings.HasPrefix(string(k), id); k, sealed = c.Next() {
		v, err := unseal(bucketIDs, k, sealed)
		if err != nil || len(v) != 8 {
			return 0, damagedf("the number of revision %s is not there", k)
		}
		number := bigEndian(v)
		if len(found) > 0 && found[0] != number {
			return 0, fmt.Errorf("revision %q: %w; several begin so, write more digits", id, revision.ErrUnknown)
		}
		found = append(found, number)
	}
	if len(found) == 0 {
		return 0, fmt.Errorf("revision %q: %w; it never was in effect here, or its time is over", id, revision.ErrUnknown)
	}
	return found[0], nil
}

// Find returns one line of the history by the id of its revision or of the view after it, or by at least 4 first digits of it that are unique. The
// error wraps revision.ErrUnknown.
func (s *Store) Find(id string) (*revision.Entry, error) {
	var entry *revision.Entry
	err := s.view("revision", func(tx *bolt.Tx) error {
		number, err := findLine(tx, id)
		if err != nil {
			return err
		}
		k := numberKey(number)
		line, err := lineOf(k, tx.Bucket(bucketLog).Get(k), false)
		if err != nil {
			return err
		}
		entry = &line.Entry
		return nil
	})
	return entry, err
}

// At returns the document as it was here after a revision, by the names that Find takes.
func (s *Store) At(id string) (*config.Objects, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out *config.Objects
	err := s.view("document", func(tx *bolt.Tx) error {
		number, err := findLine(tx, id)
		if err != nil {
			return err
		}
		was := map[config.ObjectKey]config.ObjectHash{} // of what differs from now
		c := tx.Bucket(bucketLog).Cursor()
		for k, v := c.Last(); k != nil && bigEndian(k) > number; k, v = c.Prev() {
			line, err := lineOf(k, v, true)
			if err != nil {
				return err
			}
			for i := len(line.Steps) - 1; i >= 0; i-- {
				was[line.Steps[i].Key] = line.Steps[i].Before
			}
		}
		out, err = s.with(tx, was)
		return err
	})
	return out, err
}

// with returns the document with some objects as they were.
func (s *Store) with(tx *bolt.Tx, was map[config.ObjectKey]config.ObjectHash) (*config.Objects, error) {
	var in []*config.Object
	var out []config.ObjectKey
	for key, hash := range was {
		if hash == (config.ObjectHash{}) {
			out = append(out, key)
			continue
		}
		if now := s.objects.Get(key); now != nil && now.Hash() == hash {
			continue
		}
		o, err := readObject(tx, key, hash)
		if err != nil {
			return nil, err
		}
		in = append(in, o)
	}
	return s.objects.With(in, out), nil
}

// Texts returns the canonical texts of objects, by hash. Those that are not kept are missing.
func (s *Store) Texts(hashes []config.ObjectHash) (map[config.ObjectHash][]byte, error) {
	out := make(map[config.ObjectHash][]byte, len(hashes))
	err := s.view("objects", func(tx *bolt.Tx) error {
		for _, h := range hashes {
			text, err := readText(tx, h)
			if err != nil {
				return err
			}
			if text != nil {
				out[h] = text
			}
		}
		return nil
	})
	return out, err
}

// Revisions returns revisions that are not in have, in an order in which they can be applied, until limit octets of their encodings are reached, but
// one at least. complete is false when some that come before are not kept any more.
func (s *Store) Revisions(have revision.Vector, limit int) (list []*revision.Revision, complete bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	next := have.Clone()
	octets := 0
	err = s.view("revisions", func(tx *bolt.Tx) error {
		for _, k := range s.revs {
			if have.Covers(k.dot) {
				continue
			}
			if next[k.dot.Actor]+1 != k.dot.Seq {
				return nil
			}
			v, err := get(tx, bucketRevisions, numberKey(k.number))
			if err != nil {
				return err
			}
			if octets += len(v); octets > limit && len(list) > 0 {
				complete = true
				return nil
			}
			r, err := revision.Decode(v)
			if err != nil {
				return damagedf("%v", err)
			}
			if !next.Includes(r.Seen) {
				return nil
			}
			next[k.dot.Actor] = k.dot.Seq
			list = append(list, r)
		}
		complete = next.Includes(s.state.Vector())
		return nil
	})
	if !complete {
		list = nil
	}
	return list, complete && err == nil, err
}
