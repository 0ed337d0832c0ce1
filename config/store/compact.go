package store

import (
	"errors"
	"os"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"
)

// compactStep is how many octets are copied in one transaction.
const compactStep = 16 << 20

// compact makes a large file smaller of which more than half is unused: a database never gives room back by itself. That it fails, as on a full disk,
// is no reason not to start.
func (s *Store) compact() error {
	info, err := os.Stat(s.path)
	if err != nil || s.readOnly != nil || info.Size() <= s.compactAbove() {
		return nil
	}
	var free int64
	if err := s.db.View(func(*bolt.Tx) error {
		st := s.db.Stats()
		free = int64(st.FreePageN+st.PendingPageN) * int64(s.db.Info().PageSize)
		return nil
	}); err != nil || free*2 < info.Size() {
		return nil
	}
	temporary := s.path + ".new"
	err = guard(func() error { return s.compactTo(temporary) })
	if err == nil {
		err = os.Rename(temporary, s.path)
	}
	if err != nil {
		s.log.Warn("config.store.compact", zap.String("file", s.path), zap.Error(errors.Join(err, removeIfThere(temporary))), zap.String("then", "it stays as large as it is"))
		return nil
	}
	if err := errors.Join(s.db.Close(), syncDirectory(s.dir)); err != nil {
		return unavailable("open the compacted store", s.path, err)
	}
	smaller, _ := os.Stat(s.path)
	if err := s.tryOpen(); err != nil {
		return unavailable("open the compacted store", s.path, err)
	}
	s.log.Info("config.store.compacted", zap.String("file", s.path), zap.Int64("octets", info.Size()), zap.Int64("now", smaller.Size()))
	return nil
}

func (s *Store) compactTo(path string) error {
	if err := removeIfThere(path); err != nil {
		return err
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: openTimeout, PageSize: pageBytes, NoSync: true})
	if err != nil {
		return err
	}
	err = bolt.Compact(db, s.db, compactStep)
	if err == nil {
		err = db.Sync()
	}
	return errors.Join(err, db.Close())
}

func (s *Store) compactAbove() int64 {
	if s.opts.compactAbove > 0 {
		return s.opts.compactAbove
	}
	return compactAbove
}
