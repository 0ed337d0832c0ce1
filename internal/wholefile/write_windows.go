package wholefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the file at path with what write writes, or makes it. When something fails the file is as it was. The
// directory must exist. Of the permissions perm this system has one: whether the file may be written.
func Write(path string, perm fs.FileMode, write func(io.Writer) error) (err error) {
	// The module that does this elsewhere leaves this system out, because a rename that replaces is promised to be done in one
	// step only on some of its file systems. Whoever reads never finds half a file either way.
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Chmod(f.Name(), perm); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
