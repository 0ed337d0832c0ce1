package config

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// ID is the hash of all objects: the first 32 hexadecimal digits of SHA-256 over kind, name and hash of each, in order. Equal documents have equal
// ids at all sites.
func (s *Objects) ID() string {
	if id := s.id.Load(); id != nil {
		return *id
	}
	h := sha256.New()
	const block = 8 << 10 // at a time
	b := make([]byte, 0, block+512)
	for _, o := range s.list {
		b = append(b, byte(o.key.Kind))
		b = binary.BigEndian.AppendUint32(b, uint32(len(o.key.Name)))
		if b = append(append(b, o.key.Name...), o.hash[:]...); len(b) >= block {
			h.Write(b)
			b = b[:0]
		}
	}
	h.Write(b)
	id := hex.EncodeToString(h.Sum(nil))[:32]
	s.id.Store(&id)
	return id
}
