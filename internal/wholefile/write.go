//go:build !windows

package wholefile

import (
	"io"
	"io/fs"

	"github.com/google/renameio/v2"
)

// Write replaces the file at path with what write writes, or makes it. It has exactly the permissions perm; the umask is not
// asked. When something fails the file is as it was. The directory must exist.
func Write(path string, perm fs.FileMode, write func(io.Writer) error) error {
	f, err := renameio.NewPendingFile(path, renameio.WithStaticPermissions(perm))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if err := write(f); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}
