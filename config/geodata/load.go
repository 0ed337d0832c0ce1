package geodata

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// MaxFiles is how many files a Table is made of at most.
	MaxFiles = 16
	// MaxFileBytes is the largest text file that is read.
	MaxFileBytes = 4 << 30
	// maxDatabaseBytes is the largest MaxMind DB file. It is read as a whole: a mapped file that is cut off while it is read
	// would end the process.
	maxDatabaseBytes = 2 << 30
	// MaxEntries is how many ranges a Table is made of at most.
	MaxEntries = 20_000_000
	// maxLine is the longest line of a text file, in octets.
	maxLine = 64 << 10
)

// Format is the form of a location file.
type Format string

// The formats. All but MMDB and MaxMind are NetScaler's, by its names.
const (
	MMDB                  Format = "mmdb"    // a MaxMind DB file
	MaxMind               Format = "maxmind" // MaxMind's CSV: blocks, with a file of locations
	NetScaler             Format = "netscaler"
	NetScaler6            Format = "netscaler6"
	IPCountry             Format = "ip-country"
	IPCountryISP          Format = "ip-country-isp"
	IPCountryRegionCity   Format = "ip-country-region-city"
	IPCountryRegionCityIS Format = "ip-country-region-city-isp"
	GeoIPCountry          Format = "geoip-country"
	GeoIPCountry6         Format = "geoip-country6"
	GeoIPRegion           Format = "geoip-region"
	GeoIPCity             Format = "geoip-city"
	GeoIPCountryOrg       Format = "geoip-country-org"
	GeoIPCountryISP       Format = "geoip-country-isp"
	GeoIPCityISPOrg       Format = "geoip-city-isp-org"
)

// File is a location file.
type File struct {
	Path      string
	Format    Format
	Locations string // MaxMind: the file of locations; not for networks (ASN, ISP)
}

// FileError is why a file was refused.
type FileError struct {
	Path string
	Line int // of a text file; 0: the file as a whole
	Err  error
}

// Error says which file, where and why.
func (e *FileError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("read location file %s:%d: %v", e.Path, e.Line, e.Err)
	}
	return fmt.Sprintf("read location file %s: %v", e.Path, e.Err)
}

// Unwrap returns why.
func (e *FileError) Unwrap() error { return e.Err }

var (
	errTooManyEntries = fmt.Errorf("more than %d ranges", MaxEntries)
	errTooManyFiles   = fmt.Errorf("more than %d files", MaxFiles)
	errChanging       = errors.New("it was written to while it was read; it is read again when it rests")
)

// reader reads one file after the other.
type reader struct {
	ctx        context.Context
	data       *collection
	continents map[string]string
	source     uint32 // bit of the file that is read
	entries    int    // of all files

	v4     []span4 // of the file that is read
	v6     []Span
	failed error // of a join
}

// span4 is a Span of IPv4, at a third of its size: files have millions of them.
type span4 struct{ first, last, value uint32 }

// spans4 are the IPv4 spans of the file that was read.
func (r *reader) spans4() []Span {
	out := make([]Span, len(r.v4))
	for i, s := range r.v4 {
		out[i] = Span{Key{Lo: uint64(s.first)}, Key{Lo: uint64(s.last)}, s.value}
	}
	r.v4 = nil
	return out
}

// Load reads files into a Table. Where two know an address, the first counts: one for the geography (continent to city,
// and coordinates), one for the network (ISP and organisation). Nothing is half loaded: an error is a *FileError, or that of
// ctx. Reading takes about 100 octets of memory a range.
func Load(ctx context.Context, files []File) (*Table, error) {
	if len(files) > MaxFiles {
		return nil, &FileError{Path: files[MaxFiles].Path, Err: errTooManyFiles}
	}
	r := &reader{ctx: ctx, data: newCollection(), continents: continentsByCountry()}
	t := &Table{}
	var all4, all6 []Span
	for i, f := range files {
		r.source, r.v4, r.v6 = 1<<i, nil, nil
		info, err := r.file(f)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, err
		}
		t.files = append(t.files, info)
		all4 = r.overlay(all4, Flatten(r.spans4()))
		all6 = r.overlay(all6, Flatten(r.v6))
		if r.failed != nil {
			return nil, &FileError{Path: f.Path, Err: r.failed}
		}
	}
	t.ranges = *NewRanges(all4, all6)
	t.spots, t.texts = r.data.spots, r.data.texts
	return t, nil
}

// overlay adds a file to those before it.
func (r *reader) overlay(before, file []Span) []Span {
	if len(before) == 0 || len(file) == 0 {
		return append(before, file...)
	}
	joined := map[[2]uint32]uint32{}
	return Overlay(before, file, func(a, b uint32) uint32 {
		if a == 0 || b == 0 {
			return a | b
		}
		n, ok := joined[[2]uint32{a, b}]
		if !ok {
			var err error
			if n, err = r.data.join(a, b); err != nil {
				r.failed = err
			}
			joined[[2]uint32{a, b}] = n
		}
		return n
	})
}

// file reads one file into v4 and v6.
func (r *reader) file(f File) (FileInfo, error) {
	before := r.entries
	info := FileInfo{File: f}
	limit := int64(MaxFileBytes)
	if f.Format == MMDB {
		limit = maxDatabaseBytes
	}
	stat, err := resting(f.Path, limit)
	if err != nil {
		return info, err
	}
	info.Size, info.Changed = stat.Size(), stat.ModTime()
	var places os.FileInfo
	if f.Locations != "" {
		if places, err = resting(f.Locations, MaxFileBytes); err != nil {
			return info, err
		}
	}
	switch f.Format {
	case MMDB:
		err = r.database(f.Path, &info)
	case MaxMind:
		err = r.maxmind(f)
	default:
		err = r.columns(f)
	}
	if err != nil {
		return info, err
	}
	if changed(f.Path, stat) {
		return info, &FileError{Path: f.Path, Err: errChanging}
	}
	if places != nil && changed(f.Locations, places) {
		return info, &FileError{Path: f.Locations, Err: errChanging}
	}
	info.Entries = r.entries - before
	return info, nil
}

// resting returns how a file is before it is read. What is no regular file is refused: opening a pipe might never end.
func resting(path string, limit int64) (os.FileInfo, error) {
	stat, err := os.Stat(path)
	switch {
	case err != nil:
	case !stat.Mode().IsRegular():
		err = errors.New("not a regular file")
	case stat.Size() > limit:
		err = fmt.Errorf("it has %d octets; the limit is %d", stat.Size(), limit)
	}
	if err != nil {
		return nil, &FileError{Path: path, Err: plain(err)}
	}
	return stat, nil
}

// changed reports whether a file is not as it was before it was read.
func changed(path string, before os.FileInfo) bool {
	now, err := os.Stat(path)
	return err != nil || now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime())
}

// plain leaves the path out of a file system's error: FileError has it.
func plain(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// add notes that addresses are at a spot.
func (r *reader) add(is4 bool, first, last Key, spot uint32) error {
	if spot == 0 {
		return nil
	}
	if r.entries++; r.entries > MaxEntries {
		return errTooManyEntries
	}
	if is4 {
		r.v4 = append(r.v4, span4{uint32(first.Lo), uint32(last.Lo), spot})
	} else {
		r.v6 = append(r.v6, Span{first, last, spot})
	}
	return nil
}

// base returns the name of a file, for messages about another one.
func base(path string) string { return filepath.Base(path) }
