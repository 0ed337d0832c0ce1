package store

import "golang.org/x/sys/unix"

// roomOf looks at the disk of a directory; false: nothing is known.
func roomOf(dir string) (room, bool) {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return room{}, false
	}
	r := room{free: s.Bavail * uint64(s.Bsize), readOnly: s.Flags&unix.ST_RDONLY != 0} //nolint:gosec // the size of a block
	if s.Blocks == 0 {
		r.free = minFree // a file system that does not count
	}
	return r, true
}
