package guard

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const outsideSockets = "outside of the directories whose sockets may be read"

// socket returns the real path of a Unix socket that may be connected to.
func (g *Guard) socket(path string) (string, error) {
	const key = "probes.sockets"
	if !filepath.IsAbs(path) {
		return "", refuse(path, "not the absolute path of a socket", "")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil && !Named(path, g.opts.SocketDirectories) {
		return "", refuse(path, outsideSockets, key) // who may not connect there does not learn either what is there
	}
	if err != nil {
		return "", &fs.PathError{Op: "find socket", Path: path, Err: cause(err)}
	}
	if Below(real, g.opts.Private) {
		return "", refuse(path, "a socket of this node", "")
	}
	if !Below(real, g.opts.SocketDirectories) {
		return "", refuse(path, outsideSockets, key)
	}
	info, err := os.Lstat(real)
	if err != nil {
		return "", &fs.PathError{Op: "find socket", Path: path, Err: cause(err)}
	}
	if info.Mode().Type() != fs.ModeSocket {
		return "", refuse(path, "not a socket", "")
	}
	return real, nil
}

// cause takes the operation and path off an error of the file system.
func cause(err error) error {
	if p, ok := err.(*fs.PathError); ok {
		return p.Err
	}
	return err
}

// Real returns the absolute path of a file or directory without symbolic links. A relative one starts where this process does.
func Real(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// Below reports whether a real path, absolute and without symbolic links, lies below one of the directories, which may be links
// themselves, and relative. A directory that does not exist has nothing below it.
func Below(real string, directories []string) bool {
	for _, d := range directories {
		d, err := Real(d)
		if err != nil {
			continue
		}
		if within(real, d) {
			return true
		}
	}
	return false
}

// Named reports whether a path is written as one below one of the directories, by the name that these were given or by their real one.
// It does not look at what the path leads to: see Below.
func Named(path string, directories []string) bool {
	path = filepath.Clean(path)
	for _, d := range directories {
		if d, err := filepath.Abs(d); err == nil && within(path, d) {
			return true
		}
	}
	return Below(path, directories)
}

// within reports whether a clean path begins with a directory.
func within(path, directory string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(directory, string(filepath.Separator)))
	return ok && rest != "" && rest[0] == filepath.Separator
}
