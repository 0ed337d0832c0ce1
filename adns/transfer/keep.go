package transfer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fairlead/internal/wholefile"

	"github.com/miekg/dns"
)

// A transferred zone is kept in one file, so that a restart serves at once:
//
//	"FLZONE1\n" | records 32 bits | octets 64 bits | length of the name 8 bits | name on the wire | records, the SOA first,
//	each as on the wire without compression | SHA-256 of all before
//
// Its time of change is when a primary last said that it is the newest version.
const (
	keptMagic     = "FLZONE1\n"
	keptFixed     = len(keptMagic) + 4 + 8 + 1
	keptSuffix    = ".zone"
	corruptSuffix = ".corrupt"
	maxPlainName  = 200 // a longer zone name becomes a hash: file names have 255 octets
)

// errCorrupt says that a kept file is not what was written.
var errCorrupt = errors.New("the file is damaged")

// keeper keeps zones in a directory; with an empty path it keeps nothing.
type keeper string

// path is where the zone of a ZoneID is kept.
func (k keeper) path(id string) string {
	name := strings.TrimSuffix(id, ".")
	if plain, views, some := strings.Cut(name, "@"); some { // names of views differ by case, those of files may not
		sum := sha256.Sum256([]byte(views))
		name = plain + "@" + hex.EncodeToString(sum[:8])
	}
	if len(name) > maxPlainName {
		sum := sha256.Sum256([]byte(name))
		name = hex.EncodeToString(sum[:])
	}
	return filepath.Join(string(k), name+keptSuffix)
}

// save replaces the file of a zone as a whole.
func (k keeper) save(id, zone string, i *image, confirmed time.Time) error {
	if k == "" {
		return nil
	}
	if err := os.MkdirAll(string(k), 0o700); err != nil {
		return fmt.Errorf("keep zone %q: %w", id, err)
	}
	err := wholefile.Write(k.path(id), 0o600, func(w io.Writer) error { return writeKept(w, zone, i) })
	if err != nil {
		return fmt.Errorf("keep zone %q: %w", id, err)
	}
	return k.confirm(id, confirmed)
}

// confirm notes when a zone was last known to be the newest version.
func (k keeper) confirm(id string, at time.Time) error {
	if k == "" {
		return nil
	}
	return os.Chtimes(k.path(id), at, at)
}

func writeKept(w io.Writer, zone string, i *image) error {
	name, err := wireName(zone)
	if err != nil {
		return err
	}
	sum := sha256.New()
	buffered := bufio.NewWriter(io.MultiWriter(w, sum))
	head := append(make([]byte, 0, keptFixed), keptMagic...)
	head = binary.BigEndian.AppendUint32(head, uint32(i.records))
	head = binary.BigEndian.AppendUint64(head, uint64(len(i.wire)))
	head = append(head, byte(len(name)))
	for _, part := range [][]byte{head, name, i.wire} {
		if _, err := buffered.Write(part); err != nil {
			return err
		}
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// load reads the file of a zone. A damaged one is put aside, so that the next start does not stumble over it again;
// the error then is errCorrupt. Without a file the image is nil.
func (k keeper) load(id, zone string) (i *image, confirmed time.Time, err error) {
	if k == "" {
		return nil, time.Time{}, nil
	}
	path := k.path(id)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("load kept zone %q: %w", id, err)
	}
	var data []byte
	if info.Size() <= maxZoneOctets+1<<10 {
		if data, err = os.ReadFile(path); err != nil {
			return nil, time.Time{}, fmt.Errorf("load kept zone %q: %w", id, err)
		}
	}
	if i, err = readKept(zone, data); err != nil {
		err = fmt.Errorf("load kept zone %q from %s: %w", id, path, err)
		return nil, time.Time{}, errors.Join(err, os.Rename(path, path+corruptSuffix))
	}
	return i, info.ModTime(), nil
}

// readKept takes a kept file apart.
func readKept(zone string, data []byte) (*image, error) {
	bad := func(why string) (*image, error) { return nil, fmt.Errorf("%w: %s", errCorrupt, why) }
	if len(data) < keptFixed+sha256.Size || !bytes.HasPrefix(data, []byte(keptMagic)) {
		return bad("it does not begin as such files do")
	}
	body, sum := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return bad("its checksum is wrong")
	}
	head := body[len(keptMagic):]
	records, octets, nameLen := binary.BigEndian.Uint32(head), binary.BigEndian.Uint64(head[4:]), int(head[12])
	rest := body[keptFixed:]
	name, err := wireName(zone)
	if err != nil || nameLen > len(rest) || !bytes.Equal(rest[:nameLen], name) || uint64(len(rest)-nameLen) != octets {
		return bad("it is of another zone or another length")
	}
	i := &image{wire: rest[nameLen:], records: int(records)}
	count := 0
	err = eachRecord(i.wire, func(wire []byte) error {
		rr, _, err := dns.UnpackRR(wire, 0)
		if err != nil {
			return err
		}
		if count++; count == 1 {
			i.soa, _ = rr.(*dns.SOA)
		}
		return nil
	})
	if err != nil || i.soa == nil || zoneName(i.soa.Hdr.Name) != zone || count != i.records {
		return bad("its records cannot be read")
	}
	return i, nil
}
