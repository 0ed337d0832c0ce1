//go:build !purego

package gslb

// sift is siftPortably by vector instructions.
//
//go:noescape
func sift(halves *[wideHalves]uint32, all *[wideWords]uint64, low [][2][wideWords]uint64, high, done [][wideWords]uint64, client uint64) (any uint32)
