package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
)

// snapshotEvery is how many revisions are applied to the snapshot at start, at most.
const snapshotEvery = 256

// change is a record on its way into the database, and what it will do to the mirrors.
type change struct {
	s       *Store
	tx      *bolt.Tx
	r       *replica.Record
	refused error // the record's own fault

	uses    map[config.ObjectHash]int // difference
	size    int64                     // difference
	lines   int                       // difference
	revs    []kept                    // after
	inState uint64                    // after
	state   *revision.State           // after
	objects *config.Objects           // after
	last    *revision.Entry           // after
	commit  uint64                    // after
}

// Commit keeps a record, all or nothing, and returns when it is on stable storage.
func (s *Store) Commit(r *replica.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readOnly != nil {
		return unavailable("write to", s.path, s.readOnly)
	}
	if s.stuck != nil {
		return s.stuck
	}
	c := &change{s: s, r: r, uses: map[config.ObjectHash]int{}, revs: s.revs, inState: s.inState, state: s.state, objects: s.objects,
		last: s.last, commit: s.commit + 1}
	err := guard(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			c.tx = tx
			c.refused = c.write()
			return c.refused
		})
	})
	if err != nil {
		return s.notKept(c, err)
	}
	c.adopt()
	s.keepInJournal(c)
	s.signal()
	return nil
}

// notKept says why a record was not kept. When the disk failed while the last page was written, it is not known whether it was: nothing more is
// written then, since the next start may find it.
func (s *Store) notKept(c *change, err error) error {
	if c.refused != nil && !errors.Is(c.refused, errDamaged) {
		return fmt.Errorf("write to %q: %w", s.path, c.refused)
	}
	wrapped := unavailable("write to", s.path, err)
	s.broken = errors.Is(err, errDamaged)
	if s.broken || s.mayBeKept() {
		s.stuck = fmt.Errorf("%w; nothing is written until the node is started again, because it is not known what the disk has", wrapped)
		wrapped = s.stuck
	}
	s.log.Error("config.store.unavailable", zap.Error(wrapped), zap.String("then", "the document in use stays"))
	return wrapped
}

// mayBeKept reports whether a commit that failed is in the database all the same, or that cannot be told.
func (s *Store) mayBeKept() bool {
	kept := s.commit
	err := guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			b, err := get(tx, bucketMeta, keyCommit)
			if err == nil && len(b) == 8 {
				kept = bigEndian(b)
			}
			return err
		})
	})
	return err != nil || kept != s.commit
}

// adopt makes the mirrors what the database is now.
func (c *change) adopt() {
	s := c.s
	for h, n := range c.uses {
		if n += s.uses[h]; n > 0 {
			s.uses[h] = n
		} else {
			delete(s.uses, h)
		}
	}
	s.size += c.size
	s.lines += c.lines
	s.revs, s.inState, s.state, s.objects, s.last, s.commit = c.revs, c.inState, c.state, c.objects, c.last, c.commit
}

// write puts the record into the transaction.
func (c *change) write() error {
	steps := []func() error{c.putRevisions, c.putLines, c.settle, c.putOnce, c.putNotes, c.putState, c.putObjects, c.snapshot, c.prune}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return put(c.tx, bucketMeta, keyCommit, numberKey(c.commit))
}

// use counts one more use of a text.
func (c *change) use(h config.ObjectHash) { c.uses[h]++ }

// drop counts one use less, and removes a text that has none left.
func (c *change) drop(h config.ObjectHash) error {
	c.uses[h]--
	if c.s.uses[h]+c.uses[h] > 0 {
		return nil
	}
	b := c.tx.Bucket(bucketObjects)
	if v := b.Get(h[:]); v != nil {
		c.size -= int64(len(v) - sealBytes)
		return b.Delete(h[:])
	}
	return nil
}

func (c *change) putRevisions() error {
	number := lastNumber(c.tx, bucketRevisions)
	if number < c.inState {
		number = c.inState
	}
	c.revs = slices.Clip(c.revs)
	for _, r := range c.r.Revisions {
		b, err := r.Encode()
		if err != nil {
			return err
		}
		number++
		if err := put(c.tx, bucketRevisions, numberKey(number), b); err != nil {
			return err
		}
		c.revs = append(c.revs, kept{number, r.Dot})
		c.size += int64(len(b))
		for _, ch := range r.Changes {
			c.use(ch.Hash)
		}
	}
	return nil
}

func (c *change) putLines() error {
	number := lastNumber(c.tx, bucketLog)
	for i := range c.r.Log {
		l := &c.r.Log[i]
		b, err := encodeLine(l)
		if err != nil {
			return err
		}
		number++
		if err := put(c.tx, bucketLog, numberKey(number), b); err != nil {
			return err
		}
		for _, id := range ids(l) {
			if err := put(c.tx, bucketIDs, []byte(id), numberKey(number)); err != nil {
				return err
			}
		}
		for _, step := range l.Steps {
			c.use(step.Before)
			c.use(step.After)
		}
		c.size += int64(len(b))
		c.lines++
		entry := l.Entry
		c.last = &entry
	}
	return nil
}

// settle ends what lines wait for.
func (c *change) settle() error {
	for _, id := range c.r.Settled {
		number, err := get(c.tx, bucketIDs, []byte(id))
		if err != nil {
			return err
		}
		if number == nil {
			continue // not kept any more: nothing waits
		}
		b, err := get(c.tx, bucketLog, number)
		if err != nil {
			return err
		}
		line, err := decodeLine(b, true)
		if err != nil {
			return err
		}
		before := len(b)
		line.Pending = noTime
		if b, err = encodeLine(line); err != nil {
			return err
		}
		c.size += int64(len(b) - before)
		if err := put(c.tx, bucketLog, bytes.Clone(number), b); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) putNotes() error {
	notes := c.tx.Bucket(bucketNotes)
	for name, note := range c.r.Notes {
		switch {
		case note == nil:
			if err := notes.Delete([]byte(name)); err != nil {
				return err
			}
			continue
		case len(note) > replica.MaxNote:
			return fmt.Errorf("note %q has %d octets; the limit is %d", name, len(note), replica.MaxNote)
		}
		if err := put(c.tx, bucketNotes, []byte(name), note); err != nil {
			return err
		}
	}
	return nil
}

// putState counts what the new state refers to, and makes the new document.
func (c *change) putState() error {
	if c.r.State == nil {
		return nil
	}
	next, old := c.r.State.Fork(), c.s.state
	keys := c.r.Keys
	if c.r.Whole {
		keys = slices.AppendSeq(slices.Collect(old.Keys), next.Keys)
	}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, config.ObjectKey.Compare)
	keys = slices.Compact(keys)
	for _, key := range keys {
		for _, r := range next.Registers(key) {
			c.use(r.Hash)
		}
	}
	for _, key := range keys {
		for _, r := range old.Registers(key) {
			c.uses[r.Hash]-- // removed later, with all others that have no use left
		}
	}
	c.state = next
	return c.document(keys)
}

// document makes the document of the state, of which some keys may differ.
func (c *change) document(keys []config.ObjectKey) error {
	given := make(map[config.ObjectHash]*config.Object, len(c.r.Objects))
	for _, o := range c.r.Objects {
		given[o.Hash()] = o
	}
	var in []*config.Object
	var out []config.ObjectKey
	for _, key := range keys {
		w := c.state.Winner(key)
		if w.Origin == nil || w.Hash == (config.ObjectHash{}) {
			out = append(out, key)
			continue
		}
		if now := c.objects.Get(key); now != nil && now.Hash() == w.Hash {
			continue
		}
		o := given[w.Hash]
		if o == nil || o.Key() != key {
			if c.tx.Bucket(bucketObjects).Get(w.Hash[:]) == nil {
				return fmt.Errorf("object %q, which the state names, is neither kept nor given", key)
			}
			var err error
			if o, err = readObject(c.tx, key, w.Hash); err != nil {
				return err
			}
		}
		in = append(in, o)
	}
	if len(in)+len(out) > 0 {
		c.objects = c.objects.With(in, out)
	}
	return nil
}

// putObjects keeps the texts that something uses, and removes those that nothing does any more.
func (c *change) putObjects() error {
	given := slices.Clone(c.r.Objects)
	slices.SortFunc(given, func(a, b *config.Object) int {
		x, y := a.Hash(), b.Hash()
		return bytes.Compare(x[:], y[:])
	})
	b := c.tx.Bucket(bucketObjects)
	for _, o := range given {
		h := o.Hash()
		if c.s.uses[h]+c.uses[h] <= 0 || b.Get(h[:]) != nil {
			continue
		}
		packed, err := pack(o.Text())
		if err != nil {
			return err
		}
		c.size += int64(len(packed))
		if err := put(c.tx, bucketObjects, h[:], packed); err != nil {
			return err
		}
	}
	for h, n := range c.uses {
		if n < 0 && c.s.uses[h]+n <= 0 {
			c.uses[h]++
			if err := c.drop(h); err != nil {
				return err
			}
		}
	}
	return nil
}

// snapshot writes the state as a whole when the revisions that are kept do not lead to it from the snapshot, or too many do.
func (c *change) snapshot() error {
	if c.state == c.s.state {
		return nil
	}
	newest := c.inState
	if n := len(c.revs); n > 0 {
		newest = max(newest, c.revs[n-1].number)
	}
	if !c.r.Whole && c.explained() && newest-c.inState <= snapshotEvery {
		return nil
	}
	return c.putSnapshot(newest)
}

func (c *change) putSnapshot(newest uint64) error {
	b, err := c.state.Encode()
	if err != nil {
		return err
	}
	c.inState = newest
	return put(c.tx, bucketState, keySnapshot, append(binary.AppendUvarint(nil, newest), b...))
}

// explained reports whether the record's revisions are all that changed the state.
func (c *change) explained() bool {
	if len(c.r.Revisions) == 0 {
		return false
	}
	changed := make(map[config.ObjectKey]bool, len(c.r.Keys))
	for _, r := range c.r.Revisions {
		for _, ch := range r.Changes {
			changed[ch.Key] = true
		}
	}
	for _, key := range c.r.Keys {
		if !changed[key] {
			return false
		}
	}
	return true
}
