//go:build !amd64 || purego

package gslb

func sift(halves *[wideHalves]uint32, all *[wideWords]uint64, low [][2][wideWords]uint64, high, done [][wideWords]uint64, client uint64) (any uint32) {
	return siftPortably(halves, all, low, high, done, client)
}
