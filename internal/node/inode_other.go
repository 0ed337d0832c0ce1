//go:build !unix

package node

import "io/fs"

// inodeOf tells nothing here.
func inodeOf(fs.FileInfo) uint64 { return 0 }

// ownerOf names the user that a file is of: not known here.
func ownerOf(string) string { return "" }
