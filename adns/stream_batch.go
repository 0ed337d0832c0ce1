package adns

import (
	"encoding/binary"
	"sync"
)

const (
	// batchOctets is how much of responses is collected before it is written: what a client that does not read can make
	// the server keep for it. One response may be larger.
	batchOctets = 32 << 10
	// batchRoom is what must be free for a response to be made in the batch itself.
	batchRoom = 2048
)

// batch is what a connection needs to answer the messages that are there; it is borrowed for that time only.
type batch struct {
	responder *responder
	out       []byte // responses with their lengths
	own       *[]byte
}

// freeList lends buffers of one size.
type freeList struct{ free sync.Pool }

// get lends a buffer of size octets.
func (f *freeList) get(size int) *[]byte {
	if b, ok := f.free.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, size)
	return &b
}

func (f *freeList) put(b *[]byte) { f.free.Put(b) }

func (s *Server) borrowBatch() *batch {
	b, ok := s.batches.Get().(*batch)
	if !ok {
		own := make([]byte, batchOctets)
		b = &batch{own: &own}
	}
	b.out = (*b.own)[:0]
	b.responder = s.responder()
	return b
}

func (s *Server) returnBatch(b *batch) {
	s.release(b.responder)
	b.responder, b.out = nil, nil // a large response is not kept
	s.batches.Put(b)
}

// slot copies a request to where its response goes, behind the room for the length. Nil: there is no room.
func (b *batch) slot(request []byte) (buf []byte, n int) {
	free := b.out[len(b.out):cap(b.out)]
	if len(free) < lengthOctets+max(len(request), batchRoom) {
		return nil, len(request)
	}
	buf = free[lengthOctets:]
	return buf, copy(buf, request)
}

// add appends a response, which lies in the slot or elsewhere, and reports whether there was room.
func (b *batch) add(slot, response []byte) bool {
	end := len(b.out) + lengthOctets
	if end+len(response) > cap(b.out) {
		return false
	}
	place := b.out[end : end+len(response)]
	if len(response) > 0 && &response[0] != &place[0] {
		copy(place, response)
	}
	binary.BigEndian.PutUint16(b.out[end-lengthOctets:end], uint16(len(response)))
	b.out = b.out[:end+len(response)]
	return true
}

// addLarge makes an empty batch as large as a response needs.
func (b *batch) addLarge(response []byte) {
	if need := lengthOctets + len(response); cap(b.out) < need {
		b.out = make([]byte, 0, need)
	}
	b.out = appendFramed(b.out[:0], response)
}
