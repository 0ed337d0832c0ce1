package store

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"fairlead/config/revision"
)

// advice says what an operator can do about an error of the disk.
func advice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk is full: make room"
	case errors.Is(err, syscall.EROFS):
		return "the disk is read-only: look in the system's log for why, and mount it for writing"
	case errors.Is(err, fs.ErrPermission):
		return "the node's user may not write there: look at the owner and the mode of the file and its directory"
	case errors.Is(err, syscall.EIO):
		return "the disk does not work: look in the system's log, and replace it"
	}
	return "look whether the disk works"
}

// unavailable wraps an error of the disk, so that it says what to do, and that what is served stays.
func unavailable(doing, path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q: %w: %w; %s", doing, path, revision.ErrUnavailable, err, advice(err))
}

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
