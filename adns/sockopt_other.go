//go:build !linux

package adns

import "syscall"

// ignorePathMTU does nothing where there is no such option.
func ignorePathMTU(_, _ string, _ syscall.RawConn) error { return nil }
