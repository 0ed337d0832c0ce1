package node

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"time"

	"github.com/cespare/xxhash/v2"

	"fairlead/gslb"
	"fairlead/internal/wholefile"
)

// The file of what was learned. Numbers are big-endian; addresses have 16 octets, IPv4 is IPv4-mapped.
//
//	magic and version (8)
//	sessions, 32 octets each:          client (16), service (8), id (4), end (4)
//	round-trip times, 32 octets each:  resolver (16), site (8), microseconds (4), when it was measured (4)
//	number of sessions (8), number of round-trip times (8), XXH64 of all before (8)
//
// Services and sites are XXH64 of their names, times Unix seconds.
const (
	learnedMagic  = "FLlearn\x01"
	learnedRecord = 32
	learnedTail   = 24
	// maxLearned is the most records that are read of a file: those of the largest tables, twice.
	maxLearned = 64 << 20
	// learnedBuffer is what is read or written at once.
	learnedBuffer = 256 << 10
)

// errLearnedFile is the error of a file that is not one, or not whole.
var errLearnedFile = errors.New("it is no whole file of what was learned")

// learnedTables is what is kept.
type learnedTables struct {
	sessions  *gslb.Sessions
	resolvers *gslb.Resolvers
}

// learnedCounts says how much was written or read.
type learnedCounts struct{ sessions, rtts uint64 }

// saveLearned replaces the file by what counts at now. When nothing does the file is removed.
func saveLearned(path string, t learnedTables, now time.Time) (n learnedCounts, err error) {
	if t.sessions.Len() == 0 && t.resolvers.Len() == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return n, err
		}
		return n, nil
	}
	err = wholefile.Write(path, 0o600, func(w io.Writer) error {
		n, err = writeLearned(w, t, now)
		return err
	})
	return n, err
}

func writeLearned(to io.Writer, t learnedTables, now time.Time) (n learnedCounts, err error) {
	out, sum := bufio.NewWriterSize(to, learnedBuffer), xxhash.New()
	w := io.MultiWriter(out, sum)
	if _, err = io.WriteString(w, learnedMagic); err != nil {
		return n, err
	}
	at := now.Unix()
	batch := make([]byte, 0, learnedBuffer)
	add := func(a netip.Addr, name uint64, b, c uint32) bool {
		raw := a.As16()
		batch = binary.BigEndian.AppendUint64(append(batch, raw[:]...), name)
		batch = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(batch, b), c)
		if len(batch)+learnedRecord > cap(batch) {
			_, err = w.Write(batch)
			batch = batch[:0]
		}
		return err == nil
	}
	t.sessions.Each(func(k gslb.SessionKey, service uint64, until int64) bool {
		if until <= at {
			return true
		}
		n.sessions++
		return add(k.Client, service, k.ID, uint32(until))
	})
	t.resolvers.Each(func(ldns netip.Prefix, _ int64, rtts []gslb.SiteRTT) bool {
		for _, m := range rtts {
			n.rtts++
			if !add(ldns.Addr(), m.Site, uint32(m.RTT/time.Microsecond), uint32(m.At)) {
				return false
			}
		}
		return true
	})
	if err != nil {
		return n, err
	}
	batch = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(batch, n.sessions), n.rtts)
	if _, err = w.Write(batch); err != nil {
		return n, err
	}
	if _, err = out.Write(binary.BigEndian.AppendUint64(nil, sum.Sum64())); err != nil {
		return n, err
	}
	return n, out.Flush()
}

// loadLearned takes in a file, without what does not count any more at now. A file that is cut off or was changed adds
// nothing. That there is no file is no error.
func loadLearned(path string, t learnedTables, now time.Time) (n learnedCounts, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return n, err
	}
	return readLearned(f, info.Size(), t, now)
}

// readLearned reads twice: the first time for the checksum alone.
func readLearned(f io.ReadSeeker, size int64, t learnedTables, now time.Time) (n learnedCounts, err error) {
	there, err := checkLearned(f, size)
	if err != nil {
		return n, err
	}
	if _, err = f.Seek(int64(len(learnedMagic)), io.SeekStart); err != nil {
		return n, err
	}
	in, at := bufio.NewReaderSize(f, learnedBuffer), now.Unix()
	timeout := int64(t.resolvers.Options().Timeout / time.Second)
	var record [learnedRecord]byte
	for i := range there.sessions + there.rtts {
		if _, err = io.ReadFull(in, record[:]); err != nil {
			return n, err
		}
		a := netip.AddrFrom16([16]byte(record[:16])).Unmap()
		name := binary.BigEndian.Uint64(record[16:])
		b, c := binary.BigEndian.Uint32(record[24:]), int64(binary.BigEndian.Uint32(record[28:]))
		switch {
		case i < there.sessions && c > at:
			if t.sessions.Merge(gslb.SessionKey{ID: b, Client: a}, name, c) {
				n.sessions++
			}
		case i >= there.sessions && c+timeout > at:
			if t.resolvers.Measured(a, name, time.Duration(b)*time.Microsecond, min(c, at)) {
				n.rtts++
			}
		}
	}
	return n, nil
}

// checkLearned says how many records there are in a file that is whole.
func checkLearned(f io.Reader, size int64) (n learnedCounts, err error) {
	records := size - int64(len(learnedMagic)) - learnedTail
	if records < 0 || records%learnedRecord != 0 || records/learnedRecord > maxLearned {
		return n, fmt.Errorf("%w: it has %d octets", errLearnedFile, size)
	}
	in, sum := bufio.NewReaderSize(f, learnedBuffer), xxhash.New()
	if magic, err := in.Peek(len(learnedMagic)); err != nil || string(magic) != learnedMagic {
		return n, fmt.Errorf("%w: it begins with %q", errLearnedFile, magic)
	}
	if _, err := io.CopyN(sum, in, size-learnedTail); err != nil {
		return n, err
	}
	var tail [learnedTail]byte
	if _, err := io.ReadFull(in, tail[:]); err != nil {
		return n, err
	}
	_, _ = sum.Write(tail[:16]) // never fails
	n.sessions, n.rtts = binary.BigEndian.Uint64(tail[:]), binary.BigEndian.Uint64(tail[8:])
	if sum.Sum64() != binary.BigEndian.Uint64(tail[16:]) {
		return n, fmt.Errorf("%w: its checksum does not fit", errLearnedFile)
	}
	if all := uint64(records / learnedRecord); n.sessions > all || n.rtts != all-n.sessions {
		return n, fmt.Errorf("%w: it tells of %d and %d records and has %d", errLearnedFile, n.sessions, n.rtts, all)
	}
	return n, nil
}
