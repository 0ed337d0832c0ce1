package store

import (
	"bytes"
	"time"

	bolt "go.etcd.io/bbolt"

	"fairlead/config/replica"
	"fairlead/config/revision"
)

var noTime time.Time

// prune drops what is above the limits, oldest first. The document, the state, the newest line and lines that wait are never dropped.
func (c *change) prune() error {
	for {
		lines := c.s.lines + c.lines
		var err error
		dropped := true
		switch large := c.tooLarge(); {
		case len(c.revs) > c.s.opts.Revisions, large && len(c.revs) > 0 && len(c.revs) >= lines:
			err = c.dropRevision()
		case lines > c.s.opts.Revisions, large && lines > 1:
			dropped, err = c.dropLine()
		default:
			return nil
		}
		if err != nil || !dropped {
			return err
		}
	}
}

func (c *change) tooLarge() bool { return c.s.size+c.size > c.s.opts.Size }

func (c *change) dropLine() (bool, error) {
	k, sealed := c.tx.Bucket(bucketLog).Cursor().First()
	if k == nil {
		return false, nil
	}
	k = bytes.Clone(k)
	v, err := unseal(bucketLog, k, sealed)
	if err != nil {
		return false, err
	}
	line, err := decodeLine(v, true)
	if err != nil || line.Pending.After(c.s.opts.Now()) {
		return false, err
	}
	c.size -= int64(len(v))
	c.lines--
	for _, id := range ids(line) {
		if at, err := get(c.tx, bucketIDs, []byte(id)); err != nil {
			return false, err
		} else if bytes.Equal(at, k) {
			if err := c.tx.Bucket(bucketIDs).Delete([]byte(id)); err != nil {
				return false, err
			}
		}
	}
	for _, step := range line.Steps {
		if err := c.drop(step.Before); err != nil {
			return false, err
		}
		if err := c.drop(step.After); err != nil {
			return false, err
		}
	}
	return true, c.tx.Bucket(bucketLog).Delete(k)
}

func (c *change) dropRevision() error {
	oldest := c.revs[0]
	if oldest.number > c.inState {
		if err := c.putSnapshot(c.revs[len(c.revs)-1].number); err != nil {
			return err
		}
	}
	k := numberKey(oldest.number)
	v, err := get(c.tx, bucketRevisions, k)
	if err != nil {
		return err
	}
	rev, err := revision.Decode(v)
	if err != nil {
		return damagedf("%v", err)
	}
	c.size -= int64(len(v))
	c.revs = c.revs[1:]
	for _, ch := range rev.Changes {
		if err := c.drop(ch.Hash); err != nil {
			return err
		}
	}
	return c.tx.Bucket(bucketRevisions).Delete(k)
}

// putOnce keeps an idempotency key and lets go of those that are too old, or too many.
func (c *change) putOnce() error {
	line := c.r.Once
	if line == nil {
		return nil
	}
	order := c.tx.Bucket(bucketOrder)
	first := order.Cursor()
	number := lastNumber(c.tx, bucketOrder) + 1
	for k, sealed := first.First(); k != nil; k, sealed = first.First() {
		name, err := unseal(bucketOrder, k, sealed)
		if err != nil {
			return err
		}
		value, err := get(c.tx, bucketOnce, name)
		if err != nil {
			return err
		}
		made, _, at := onceOf(value)
		if bytes.Equal(at, k) {
			if number-bigEndian(k) < replica.MaxOnce && line.Time.Sub(made) < replica.OnceAge {
				break
			}
			if err := c.tx.Bucket(bucketOnce).Delete(bytes.Clone(name)); err != nil {
				return err
			}
		}
		if err := order.Delete(bytes.Clone(k)); err != nil {
			return err
		}
	}
	k := numberKey(number)
	if err := put(c.tx, bucketOrder, k, []byte(line.Key)); err != nil {
		return err
	}
	return put(c.tx, bucketOnce, []byte(line.Key), append(appendText(appendTime(nil, line.Time), line.Revision), k...))
}

// onceOf reads what is kept of an idempotency key.
func onceOf(v []byte) (made time.Time, id string, at []byte) {
	r := wordReader{b: v}
	return r.time(), r.text(), r.b
}

// Once returns the id of the revision that was made with an idempotency key; "" when there is none.
func (s *Store) Once(key string) (id string, err error) {
	err = s.view("idempotency key", func(tx *bolt.Tx) error {
		v, err := get(tx, bucketOnce, []byte(key))
		if err != nil || v == nil {
			return err
		}
		var made time.Time
		if made, id, _ = onceOf(v); s.opts.Now().Sub(made) >= replica.OnceAge {
			id = ""
		}
		return nil
	})
	return id, err
}
