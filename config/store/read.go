package store

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"

	"fairlead/config"
	"fairlead/config/revision"
)

// read reads the whole database into the mirrors. Errors wrap errDamaged.
func (s *Store) read(tx *bolt.Tx) error {
	s.uses, s.size, s.revs, s.lines, s.last = map[config.ObjectHash]int{}, 0, nil, 0, nil
	for _, step := range []func(*bolt.Tx) error{s.readMeta, s.readState, s.readLog, s.readObjects, readRest} {
		if err := step(tx); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) readMeta(tx *bolt.Tx) error {
	actor, err := get(tx, bucketMeta, keyActor)
	if err != nil {
		return err
	}
	created, err := get(tx, bucketMeta, keyCreated)
	if err != nil {
		return err
	}
	commit, err := get(tx, bucketMeta, keyCommit)
	if err != nil {
		return err
	}
	if len(actor) == 0 || len(commit) != 8 {
		return damagedf("it has no name, or no number of commits")
	}
	s.actor, s.commit = string(actor), binary.BigEndian.Uint64(commit)
	s.created = (&wordReader{b: created}).time()
	return nil
}

// readState takes the state from the snapshot and the revisions after it.
func (s *Store) readState(tx *bolt.Tx) error {
	snapshot, err := get(tx, bucketState, keySnapshot)
	if err != nil {
		return err
	}
	s.state, s.inState = revision.NewState(), 0
	if snapshot != nil {
		r := wordReader{b: snapshot}
		s.inState = r.uint()
		if s.state, err = revision.DecodeState(r.b); err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	err = each(tx, bucketRevisions, func(k, v []byte) error {
		rev, err := revision.Decode(v)
		if err != nil || len(k) != 8 {
			return damagedf("revision %x: %v", k, err)
		}
		number := binary.BigEndian.Uint64(k)
		if number > s.inState {
			if err := s.state.Apply(rev); err != nil {
				return damagedf("revision %x: %v", k, err)
			}
		}
		s.noteRevision(number, rev, len(v))
		return nil
	})
	for key := range s.state.Keys {
		for _, r := range s.state.Registers(key) {
			s.uses[r.Hash]++
		}
	}
	return err
}

func (s *Store) noteRevision(number uint64, rev *revision.Revision, octets int) {
	s.revs = append(s.revs, kept{number, rev.Dot})
	s.size += int64(octets)
	for _, c := range rev.Changes {
		s.uses[c.Hash]++
	}
}

func (s *Store) readLog(tx *bolt.Tx) error {
	return each(tx, bucketLog, func(_, v []byte) error {
		line, err := decodeLine(v, true)
		if err != nil {
			return err
		}
		for _, step := range line.Steps {
			s.uses[step.Before]++
			s.uses[step.After]++
		}
		s.size += int64(len(v))
		s.lines++
		s.last = &line.Entry
		return nil
	})
}

// readObjects checks all texts, and makes the document of those that count.
func (s *Store) readObjects(tx *bolt.Tx) error {
	err := each(tx, bucketObjects, func(k, v []byte) error {
		text, err := unpack(v)
		if err != nil {
			return fmt.Errorf("object %x: %w", k, err)
		}
		if sum := sha256.Sum256(text); !bytes.Equal(sum[:], k) {
			return damagedf("object %x has another text", k)
		}
		s.size += int64(len(v))
		return nil
	})
	if err != nil {
		return err
	}
	s.objects, err = winners(s.state, func(key config.ObjectKey, hash config.ObjectHash) (*config.Object, error) {
		return readObject(tx, key, hash)
	})
	return err
}

// winners makes the document of a state.
func winners(state *revision.State, object func(config.ObjectKey, config.ObjectHash) (*config.Object, error)) (*config.Objects, error) {
	var list []*config.Object
	for key := range state.Keys {
		w := state.Winner(key)
		if w.Origin == nil || w.Hash == (config.ObjectHash{}) {
			continue
		}
		o, err := object(key, w.Hash)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return config.NewObjects(list), nil
}

func readObject(tx *bolt.Tx, key config.ObjectKey, hash config.ObjectHash) (*config.Object, error) {
	text, err := readText(tx, hash)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, damagedf("the text of %s is not there", key)
	}
	o, err := config.ObjectFromCanonical(key, text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return o, nil
}

// readText returns a text of its own, nil when it is not kept.
func readText(tx *bolt.Tx, hash config.ObjectHash) ([]byte, error) {
	packed, err := get(tx, bucketObjects, hash[:])
	if err != nil || packed == nil {
		return nil, err
	}
	text, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(text), nil
}

// readRest checks the seals of what is read when it is asked for.
func readRest(tx *bolt.Tx) error {
	for _, bucket := range [][]byte{bucketIDs, bucketOnce, bucketOrder, bucketNotes} {
		if err := each(tx, bucket, func(_, _ []byte) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

func readNotes(tx *bolt.Tx) (map[string][]byte, error) {
	notes := map[string][]byte{}
	err := each(tx, bucketNotes, func(k, v []byte) error {
		notes[string(k)] = bytes.Clone(v)
		return nil
	})
	return notes, err
}

// each calls f for each record of a bucket, without its checksum.
func each(tx *bolt.Tx, bucket []byte, f func(k, v []byte) error) error {
	return tx.Bucket(bucket).ForEach(func(k, sealed []byte) error {
		v, err := unseal(bucket, k, sealed)
		if err != nil {
			return err
		}
		return f(k, v)
	})
}

// Texts of this many octets and more are kept with gzip, unless that makes them no smaller.
const packAbove = 1024

// pack returns a text as it is kept.
func pack(text []byte) ([]byte, error) {
	plain := append([]byte{0}, text...)
	if len(text) < packAbove {
		return plain, nil
	}
	var b bytes.Buffer
	b.WriteByte(1)
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed) // large zones must not hold up a write
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if b.Len() >= len(plain) {
		return plain, nil
	}
	return b.Bytes(), nil
}

// unpack returns the text of what pack made. It may refer to packed.
func unpack(packed []byte) ([]byte, error) {
	if len(packed) == 0 || packed[0] > 1 {
		return nil, damagedf("a text is kept in an unknown way")
	}
	if packed[0] == 0 {
		return packed[1:], nil
	}
	r, err := gzip.NewReader(bytes.NewReader(packed[1:]))
	if err != nil {
		return nil, damagedf("a text cannot be unpacked: %v", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, config.MaxSourceBytes+1))
	if err != nil || len(text) > config.MaxSourceBytes {
		return nil, damagedf("a text cannot be unpacked, or is larger than %d octets: %v", config.MaxSourceBytes, err)
	}
	return text, nil
}
