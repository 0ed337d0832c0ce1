//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package store

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lock makes sure that nobody else has the file open, before it is looked at. The database takes the same lock again, which is no harm.
func lock(f *os.File, readOnly bool) error {
	how := unix.LOCK_EX
	if readOnly {
		how = unix.LOCK_SH
	}
	for end := time.Now().Add(openTimeout); ; time.Sleep(lockPoll) {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return err
		case time.Now().After(end):
			return errInUse
		}
	}
}

// unlock lets go of a lock although the file is still mapped into memory.
func unlock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }
