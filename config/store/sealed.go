package store

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// sealBytes is the length of a seal.
const sealBytes = 8

// seal appends a checksum to a record's value. It is one of the bucket and the key, too: a record that was moved is as bad as one that was changed.
func seal(bucket, key, value []byte) []byte {
	out := make([]byte, 0, len(value)+sealBytes)
	return binary.BigEndian.AppendUint64(append(out, value...), checksum(bucket, key, value))
}

// unseal returns the value without its checksum. It refers to sealed.
func unseal(bucket, key, sealed []byte) ([]byte, error) {
	n := len(sealed) - sealBytes
	if n < 0 || binary.BigEndian.Uint64(sealed[n:]) != checksum(bucket, key, sealed[:n]) {
		return nil, damagedf("record %x of %s is not what was written", key, bucket)
	}
	return sealed[:n:n], nil
}

func checksum(parts ...[]byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	for _, p := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		_, _ = d.Write(size[:])
		_, _ = d.Write(p)
	}
	return d.Sum64()
}
