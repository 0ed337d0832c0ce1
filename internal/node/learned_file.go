package node

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/netip"
	"os"
	"time"

	"github.com/cespare/xxhash/v2"

	"fairlead/gslb"
	"fairlead/internal/wholefile"
)

// The file of what was learned. Numbers are big-endian; addresses have 16 octets, IPv4 is IPv4-mapped.
//
//	magic and version (8), hash key of the tables (16)
//	sessions, 32 octets each:          client (16), service (8), id (4), end (4)
//	round-trip times, 32 octets each:  resolver (16), site (8), how it was measured (1), microseconds (3),
//	                                   when it was measured (4)
//	measurements, 40 octets each:      prefix (16), service (8), value as IEEE 754 (8), end (4), length of the prefix (1),
//	                                   4 or 6 for its family (1), zeros (2)
//	number of sessions (8), of round-trip times (8) and of measurements (8), XXH64 of all before (8)
//
// Services and sites are XXH64 of their names, times Unix seconds. Measurements of one prefix stand together. Version 1 has
// neither key nor measurements, nor the number of these.
//
// The key is there so that every session finds its place again: a full table has no room for all of them at other places. It
// is a secret, as are the clients' addresses: the file is for its owner alone.
const (
	learnedMagic   = "FLlearn\x02"
	learnedMagicV1 = "FLlearn\x01"
	learnedKey     = 16
	learnedRecord  = 32
	pushedRecord   = 40
	// microBits are those of a round-trip time's microseconds, which no table keeps more of.
	microBits = 24
	microMask = 1<<microBits - 1
	// learnedFrame and learnedFrameV1 are the octets of a file without records.
	learnedFrame   = len(learnedMagic) + learnedKey + 4*8
	learnedFrameV1 = len(learnedMagicV1) + 3*8
	// maxLearned is the most sessions and round-trip times that are read of a file: those of the largest tables, twice.
	maxLearned = 64 << 20
	// maxKeptPushed is the most measurements that are kept: 80 MB of them.
	maxKeptPushed = 2 << 20
	// learnedBuffer is what is read or written at once.
	learnedBuffer = 256 << 10
)

// errLearnedFile is the error of a file that is not one, or not whole.
var errLearnedFile = errors.New("it is no whole file of what was learned")

// learnedTables is what is kept.
type learnedTables struct {
	sessions  *gslb.Sessions
	resolvers *gslb.Resolvers
	pushed    *gslb.Pushed
}

// learnedCounts says how much was written or read.
type learnedCounts struct{ sessions, rtts, pushed uint64 }

// saveLearned replaces the file by what counts at now. When nothing does the file is removed.
func saveLearned(path string, t learnedTables, now time.Time) (n learnedCounts, err error) {
	if t.sessions.Len() == 0 && t.resolvers.Len() == 0 && t.pushed.Len() == 0 {
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

// learnedWriter writes records in batches. The first error stays.
type learnedWriter struct {
	to    io.Writer
	batch []byte
	err   error
}

// add begins a record: an address and a name. It reports whether to go on.
func (w *learnedWriter) add(a netip.Addr, name uint64) bool {
	if len(w.batch)+pushedRecord > cap(w.batch) {
		w.flush()
	}
	raw := a.As16()
	w.batch = binary.BigEndian.AppendUint64(append(w.batch, raw[:]...), name)
	return w.err == nil
}

func (w *learnedWriter) uint32(v uint32) { w.batch = binary.BigEndian.AppendUint32(w.batch, v) }
func (w *learnedWriter) uint64(v uint64) { w.batch = binary.BigEndian.AppendUint64(w.batch, v) }

func (w *learnedWriter) flush() {
	if w.err == nil {
		_, w.err = w.to.Write(w.batch)
	}
	w.batch = w.batch[:0]
}

func writeLearned(to io.Writer, t learnedTables, now time.Time) (n learnedCounts, err error) {
	sum := xxhash.New()
	w := learnedWriter{to: io.MultiWriter(to, sum), batch: append(make([]byte, 0, learnedBuffer), learnedMagic...)}
	key := t.resolvers.Options().Key
	w.uint64(key[0])
	w.uint64(key[1])
	at := now.Unix()
	t.sessions.Each(func(k gslb.SessionKey, service uint64, until int64) bool {
		if until <= at {
			return true
		}
		n.sessions++
		ok := w.add(k.Client, service)
		w.uint32(k.ID)
		w.uint32(uint32(until))
		return ok
	})
	t.resolvers.Each(func(ldns netip.Prefix, _ int64, rtts []gslb.SiteRTT) bool {
		ok := true
		for _, m := range rtts {
			n.rtts++
			ok = w.add(ldns.Addr(), m.Site) && ok
			w.uint32(uint32(m.By)<<microBits | uint32(m.RTT/time.Microsecond)&microMask)
			w.uint32(uint32(m.At))
		}
		return ok
	})
	n.pushed = w.measurements(t.pushed, at)
	w.uint64(n.sessions)
	w.uint64(n.rtts)
	w.uint64(n.pushed)
	w.flush()
	if w.err != nil {
		return n, w.err
	}
	_, err = to.Write(binary.BigEndian.AppendUint64(nil, sum.Sum64()))
	return n, err
}

// measurements writes what was pushed and has not ended.
func (w *learnedWriter) measurements(pushed *gslb.Pushed, at int64) (n uint64) {
	pushed.Each(func(prefix netip.Prefix, values []gslb.PushedValue) bool {
		if n+uint64(len(values)) > maxKeptPushed {
			return false
		}
		family := byte(6)
		if prefix.Addr().Is4() {
			family = 4
		}
		ok := true
		for _, v := range values {
			if v.Until <= at {
				continue
			}
			n++
			ok = w.add(prefix.Addr(), v.Service) && ok
			w.uint64(math.Float64bits(v.Value))
			w.uint32(uint32(min(v.Until, math.MaxUint32)))
			w.batch = append(w.batch, byte(prefix.Bits()), family, 0, 0)
		}
		return ok
	})
	return n
}

// loadLearned makes tables of what is in a file, without what does not count any more at now. fresh makes empty ones with the
// hash key that those of the file had, or a new one. A file that is cut off or was changed adds nothing. That there is no file is
// no error.
func loadLearned(path string, fresh func(gslb.HashKey) learnedTables, now time.Time) (t learnedTables, n learnedCounts, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh(newHashKey()), n, nil
	}
	if err != nil {
		return fresh(newHashKey()), n, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fresh(newHashKey()), n, err
	}
	return readLearned(f, info.Size(), fresh, now)
}

// readLearned reads twice: the first time for the checksum alone.
func readLearned(f io.ReadSeeker, size int64, fresh func(gslb.HashKey) learnedTables, now time.Time) (t learnedTables, n learnedCounts, err error) {
	there, err := checkLearned(f, size)
	if err != nil {
		return fresh(newHashKey()), n, err
	}
	t = fresh(there.key)
	if _, err = f.Seek(there.first, io.SeekStart); err != nil {
		return t, n, err
	}
	in := bufio.NewReaderSize(f, learnedBuffer)
	if err = t.readRecords(in, there, now.Unix(), &n); err != nil {
		return t, n, err
	}
	n.pushed, err = t.readMeasurements(in, there.pushed, now.Unix())
	return t, n, err
}

// readRecords reads sessions and round-trip times.
func (t *learnedTables) readRecords(in io.Reader, there learnedLayout, at int64, n *learnedCounts) error {
	timeout := int64(t.resolvers.Options().Timeout / time.Second)
	var record [learnedRecord]byte
	for i := range there.sessions + there.rtts {
		if _, err := io.ReadFull(in, record[:]); err != nil {
			return err
		}
		a := netip.AddrFrom16([16]byte(record[:16])).Unmap()
		name := binary.BigEndian.Uint64(record[16:])
		b, c := binary.BigEndian.Uint32(record[24:]), int64(binary.BigEndian.Uint32(record[28:]))
		switch {
		case i < there.sessions && c > at:
			if t.sessions.Restore(gslb.SessionKey{ID: b, Client: a}, name, c) {
				n.sessions++
			}
		case i >= there.sessions && c+timeout > at:
			m := gslb.SiteRTT{Site: name, RTT: time.Duration(b&microMask) * time.Microsecond, At: min(c, at), By: gslb.RTTSource(b >> microBits)}
			if t.resolvers.Restore(a, m) {
				n.rtts++
			}
		}
	}
	return nil
}

// readMeasurements reads what was pushed.
func (t *learnedTables) readMeasurements(in io.Reader, count uint64, at int64) (n uint64, err error) {
	var record [pushedRecord]byte
	t.pushed.Restore(func(yield func(netip.Prefix, []gslb.PushedValue) bool) {
		var prefix netip.Prefix
		var values []gslb.PushedValue
		for range count {
			if _, err = io.ReadFull(in, record[:]); err != nil {
				return
			}
			p, v, ok := readMeasurement(&record)
			if !ok || v.Until <= at {
				continue
			}
			if p != prefix {
				if len(values) > 0 && !yield(prefix, values) {
					return
				}
				prefix, values = p, values[:0]
			}
			if len(values) < gslb.MaxPushedServices {
				values = append(values, v)
				n++
			}
		}
		if len(values) > 0 {
			yield(prefix, values)
		}
	})
	return n, err
}

// readMeasurement reads one record; not when it could not have been pushed.
func readMeasurement(record *[pushedRecord]byte) (prefix netip.Prefix, v gslb.PushedValue, ok bool) {
	a := netip.AddrFrom16([16]byte(record[:16]))
	if record[37] == 4 {
		a = a.Unmap()
	}
	prefix = netip.PrefixFrom(a, int(record[36]))
	v = gslb.PushedValue{Service: binary.BigEndian.Uint64(record[16:]), Value: math.Float64frombits(binary.BigEndian.Uint64(record[24:])),
		Until: int64(binary.BigEndian.Uint32(record[32:]))}
	return prefix, v, prefix.IsValid() && prefix == prefix.Masked() && !math.IsNaN(v.Value) && !math.IsInf(v.Value, 0)
}

// learnedLayout is where things are in a file.
type learnedLayout struct {
	learnedCounts
	key   gslb.HashKey
	first int64 // record
}

// checkLearned says what there is in a file that is whole.
func checkLearned(f io.Reader, size int64) (there learnedLayout, err error) {
	in, sum := bufio.NewReaderSize(f, learnedBuffer), xxhash.New()
	magic, err := in.Peek(len(learnedMagic))
	newer := string(magic) == learnedMagic
	if err != nil || !newer && string(magic) != learnedMagicV1 {
		return there, fmt.Errorf("%w: it begins with %q", errLearnedFile, magic)
	}
	frame, tail := int64(learnedFrameV1), make([]byte, 3*8)
	if newer {
		frame, tail = int64(learnedFrame), make([]byte, 4*8)
	}
	there.first = frame - int64(len(tail))
	if size < frame || size-frame > maxLearned*learnedRecord+maxKeptPushed*pushedRecord {
		return there, fmt.Errorf("%w: it has %d octets", errLearnedFile, size)
	}
	if there.key = newHashKey(); newer {
		head, err := in.Peek(len(learnedMagic) + learnedKey)
		if err != nil {
			return there, err
		}
		there.key = gslb.HashKey{binary.BigEndian.Uint64(head[len(learnedMagic):]), binary.BigEndian.Uint64(head[len(learnedMagic)+8:])}
	}
	if _, err := io.CopyN(sum, in, size-int64(len(tail))); err != nil {
		return there, err
	}
	if _, err := io.ReadFull(in, tail); err != nil {
		return there, err
	}
	counts := tail[:len(tail)-8]
	_, _ = sum.Write(counts) // never fails
	if sum.Sum64() != binary.BigEndian.Uint64(tail[len(counts):]) {
		return there, fmt.Errorf("%w: its checksum does not fit", errLearnedFile)
	}
	if there.sessions, there.rtts = binary.BigEndian.Uint64(counts), binary.BigEndian.Uint64(counts[8:]); newer {
		there.pushed = binary.BigEndian.Uint64(counts[16:])
	}
	if n := &there.learnedCounts; n.sessions > maxLearned || n.rtts > maxLearned-n.sessions || n.pushed > maxKeptPushed ||
		(n.sessions+n.rtts)*learnedRecord+n.pushed*pushedRecord != uint64(size-frame) {
		return there, fmt.Errorf("%w: it tells of %d, %d and %d records and has %d octets", errLearnedFile, n.sessions, n.rtts, n.pushed, size)
	}
	return there, nil
}
