package store

import (
	"fmt"
	"syscall"
	"time"

	"go.uber.org/zap"
)

const (
	// freeInterval is how often the disk is looked at.
	freeInterval = 10 * time.Second
	// minFree is how much room there has to be, in octets. A write of some objects needs a few pages of it, and as much in the journal.
	minFree = 1 << 20
)

// room is what is known of a disk without writing to it.
type room struct {
	free     uint64 // octets, for this user
	readOnly bool
}

// lookAtDisk notes that writes are about to fail. It writes nothing; whether a disk that was bad can be written is known when something is.
func (s *Store) lookAtDisk() {
	r, known := s.opts.room(s.dir)
	why := ""
	switch {
	case !known:
	case r.readOnly:
		why = unavailable("write to", s.path, syscall.EROFS).Error()
	case r.free < minFree:
		why = unavailable("write to", s.path, fmt.Errorf("%w: %d octets are left, and %d are to be", syscall.ENOSPC, r.free, minFree)).Error()
	}
	if before := s.bad.Swap(&why); why != "" && (before == nil || *before == "") {
		s.log.Error("config.store.unavailable", zap.String("error", why), zap.String("then", "the document in use stays"))
	}
}
