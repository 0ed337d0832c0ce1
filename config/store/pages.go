package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// errDamaged marks what is wrong with the content of a file, and not with reading it.
var errDamaged = errors.New("damaged")

func damagedf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// The parts of a file of bbolt that are looked at, in the byte order of the machine that wrote it.
//
//	page:   id 8, flags 2, count 2, overflow 4, then the elements
//	meta:   magic 4, version 4, page size 4, flags 4, root page 8, sequence 8, free list's page 8, pages in use 8, transaction 8, FNV-1a of the
//	        bytes before 8
//	branch: position from the element 4, key size 4, page 8
//	leaf:   flags 4 (1: bucket), position from the element 4, key size 4, value size 4
//	bucket: root page 8, sequence 8; when the root is 0, a page follows with the bucket's records
//	free:   count as in the header, or 0xFFFF and the true count in the first of the numbers; page numbers of 8 each
const (
	pageHeader   = 16
	metaBytes    = 64
	elementBytes = 16
	bucketBytes  = 16

	pageBranch = 0x01
	pageLeaf   = 0x02
	pageMeta   = 0x04
	pageFree   = 0x10

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	leafBucket  = 1

	// maxDepth is how deep pages can be nested.
	maxDepth = 64
	// maxPages is how many pages a file can have: 64 GiB of them.
	maxPages = 1 << 24
)

// pageFile is a file of bbolt that is being checked. The database maps its file into memory and believes it; a file that was cut or spoilt
// could end the process, or lose what is written to it next. So it is checked by reading before it is opened.
type pageFile struct {
	r     io.ReaderAt
	size  int64
	page  int64
	pages uint64
	seen  []uint64 // bits: pages that something has
}

// checkPages reads all pages of a bbolt file that its newest transaction can reach. Errors wrap errDamaged, or are those of reading.
func checkPages(r io.ReaderAt, size int64) error {
	meta, page, err := newestMeta(r, size)
	if err != nil {
		return err
	}
	root, free, pages := number(meta, 16), number(meta, 32), number(meta, 40)
	switch {
	case pages < 4 || pages > maxPages:
		return damagedf("it says that it has %d pages", pages)
	case int64(pages)*page > size:
		return damagedf("it has %d octets and should have %d: its end is missing", size, int64(pages)*page)
	}
	f := &pageFile{r: r, size: size, page: page, pages: pages, seen: make([]uint64, pages/64+1)}
	f.mark(0)
	f.mark(1)
	if err := f.tree(root, 0); err != nil {
		return err
	}
	return f.freeList(free)
}

// newestMeta returns the valid one of the two meta pages, of two the later, and the size of pages.
func newestMeta(r io.ReaderAt, size int64) (best []byte, page int64, err error) {
	for _, at := range []int64{0, 1024, 2048, 4096, 8192, 16384, 32768, 65536} {
		if at+pageHeader+metaBytes > size {
			break
		}
		b := make([]byte, pageHeader+metaBytes)
		if _, err := r.ReadAt(b, at); err != nil {
			return nil, 0, fmt.Errorf("read at %d: %w", at, err)
		}
		meta := b[pageHeader:]
		p := int64(binary.NativeEndian.Uint32(meta[8:]))
		if !validMeta(meta) || p < 1024 || p > 65536 || p&(p-1) != 0 || at != 0 && at != p || page != 0 && page != p {
			continue
		}
		if best == nil || number(meta, 48) > number(best, 48) {
			best, page = meta, p
		}
	}
	if best == nil {
		return nil, 0, damagedf("it does not begin like a database")
	}
	return best, page, nil
}

func validMeta(meta []byte) bool {
	h := fnv.New64a()
	_, _ = h.Write(meta[:56])
	return binary.NativeEndian.Uint32(meta) == boltMagic && binary.NativeEndian.Uint32(meta[4:]) == boltVersion && number(meta, 56) == h.Sum64()
}

func number(b []byte, at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }

// mark notes that a page is in use; false when it was already, or is not in the file.
func (f *pageFile) mark(id uint64) bool {
	if id >= f.pages || f.seen[id/64]&(1<<(id%64)) != 0 {
		return false
	}
	f.seen[id/64] |= 1 << (id % 64)
	return true
}

// read reads a page with those that continue it, and marks them.
func (f *pageFile) read(id uint64) ([]byte, error) {
	if id < 2 || !f.mark(id) {
		return nil, damagedf("page %d is used twice, or not there", id)
	}
	b := make([]byte, f.page)
	if _, err := f.r.ReadAt(b, int64(id)*f.page); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	more := uint64(binary.NativeEndian.Uint32(b[12:]))
	if number(b, 0) != id || more >= f.pages-id {
		return nil, damagedf("page %d has another page's header", id)
	}
	for i := range more {
		if !f.mark(id + i + 1) {
			return nil, damagedf("page %d is used twice", id+i+1)
		}
	}
	if more > 0 {
		b = append(b, make([]byte, int64(more)*f.page)...)
		if _, err := f.r.ReadAt(b[f.page:], int64(id+1)*f.page); err != nil {
			return nil, fmt.Errorf("read page %d: %w", id+1, err)
		}
	}
	return b, nil
}

// tree checks a page and all below it.
func (f *pageFile) tree(id uint64, depth int) error {
	if depth > maxDepth {
		return damagedf("page %d is nested too deep", id)
	}
	b, err := f.read(id)
	if err != nil {
		return err
	}
	if err := f.elements(b, depth); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// elements checks what a page of a tree lists. The page may be one inside a record.
func (f *pageFile) elements(b []byte, depth int) error {
	flags, count := binary.NativeEndian.Uint16(b[8:]), int(binary.NativeEndian.Uint16(b[10:]))
	if flags != pageBranch && flags != pageLeaf || count == 0 && flags == pageBranch || pageHeader+count*elementBytes > len(b) {
		return damagedf("it is neither a branch nor a leaf (%#x, %d)", flags, count)
	}
	var before []byte
	for i := range count {
		at := pageHeader + i*elementBytes
		e := b[at:]
		if flags == pageBranch {
			key, err := span(e, binary.NativeEndian.Uint32(e), binary.NativeEndian.Uint32(e[4:]))
			if err != nil {
				return err
			}
			if i > 0 && bytes.Compare(before, key) >= 0 {
				return damagedf("keys are not in order")
			}
			before = key
			if err := f.tree(number(e, 8), depth+1); err != nil {
				return err
			}
			continue
		}
		key, err := f.leaf(e, depth)
		if err != nil {
			return err
		}
		if i > 0 && bytes.Compare(before, key) >= 0 {
			return damagedf("keys are not in order")
		}
		before = key
	}
	return nil
}

// leaf checks one record and returns its key.
func (f *pageFile) leaf(e []byte, depth int) ([]byte, error) {
	keySize, valueSize := binary.NativeEndian.Uint32(e[8:]), binary.NativeEndian.Uint32(e[12:])
	position := binary.NativeEndian.Uint32(e[4:])
	key, err := span(e, position, keySize)
	if err != nil {
		return nil, err
	}
	value, err := span(e, position+keySize, valueSize)
	if err != nil || len(key) == 0 {
		return nil, damagedf("a record is not inside its page")
	}
	switch binary.NativeEndian.Uint32(e) {
	case 0:
		return key, nil
	case leafBucket:
		return key, f.bucket(value, depth)
	}
	return nil, damagedf("a record is of no known sort")
}

func (f *pageFile) bucket(value []byte, depth int) error {
	if len(value) < bucketBytes {
		return damagedf("a bucket has %d octets", len(value))
	}
	if root := number(value, 0); root != 0 {
		return f.tree(root, depth+1)
	}
	if len(value) < bucketBytes+pageHeader || depth > maxDepth {
		return damagedf("a bucket has %d octets and no page", len(value))
	}
	return f.elements(value[bucketBytes:], depth+1)
}

func span(e []byte, position, size uint32) ([]byte, error) {
	if uint64(position)+uint64(size) > uint64(len(e)) || position < elementBytes {
		return nil, damagedf("a record is not inside its page")
	}
	return e[position : position+size], nil
}

// freeList checks that no page in use is listed as free: it would be written over.
func (f *pageFile) freeList(id uint64) error {
	b, err := f.read(id)
	if err != nil {
		return fmt.Errorf("list of free pages: %w", err)
	}
	count, at := uint64(binary.NativeEndian.Uint16(b[10:])), pageHeader
	if binary.NativeEndian.Uint16(b[8:]) != pageFree {
		return damagedf("page %d is not the list of free pages", id)
	}
	if count == 0xFFFF {
		count, at = number(b, at), at+8
	}
	if count > uint64(len(b)-at)/8 {
		return damagedf("the list of free pages does not fit into its page")
	}
	for i := range int(count) {
		if page := number(b, at+8*i); !f.mark(page) {
			return damagedf("page %d is free and in use", page)
		}
	}
	return nil
}
