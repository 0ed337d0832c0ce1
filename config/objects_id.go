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
	b := make([]byte, 0, 512)
	for _, o := range s.list {
		b = append(b[:0], byte(o.key.Kind))
		b = binary.BigEndian.AppendUint32(b, uint32(len(o.key.Name)))
		b = append(append(b, o.key.Name...), o.hash[:]...)
		h.Write(b)
	}
	id := hex.EncodeToString(h.Sum(nil))[:32]
	s.id.Store(&id)
	return id
}
