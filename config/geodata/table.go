package geodata

import (
	"net/netip"
	"strings"
	"time"
)

// Table says where every address is, as its files say. It is immutable and safe for concurrent use; its ranges hold no
// pointers. The zero Table knows nothing.
type Table struct {
	ranges Ranges
	spots  []Spot
	texts  []string
	files  []FileInfo
}

// FileInfo tells of one file of a Table.
type FileInfo struct {
	File    File
	Size    int64     // octets
	Changed time.Time // when the file was written
	Built   time.Time // when its data was made, as a MaxMind DB file says; zero: it does not say
	Entries int       // ranges or prefixes with a place
}

// Lookup returns the number of an address's spot (0: not known), and the length of the widest prefix around it that is
// all at that spot. It does not allocate.
func (t *Table) Lookup(a netip.Addr) (spot uint32, bits int) { return t.ranges.Lookup(a) }

// Ranges returns where the spots are.
func (t *Table) Ranges() *Ranges { return &t.ranges }

// Spots returns how many numbers of spots there are, with 0 for nowhere.
func (t *Table) Spots() int { return len(t.spots) }

// Spot returns a spot by its number.
func (t *Table) Spot(n uint32) *Spot { return &t.spots[n] }

// Texts returns how many numbers of texts there are, with 0 for unknown.
func (t *Table) Texts() int { return len(t.texts) }

// Text returns a qualifier by its number.
func (t *Table) Text(n uint32) string { return t.texts[n] }

// Files returns what the table was made of, in the order of precedence. It must not be changed.
func (t *Table) Files() []FileInfo { return t.files }

// Bytes returns about how much memory the table takes.
func (t *Table) Bytes() int {
	n := t.ranges.Bytes() + len(t.spots)*36
	for _, s := range t.texts {
		n += len(s) + 16
	}
	return n
}

// Place returns a spot's place in words, unknown qualifiers before known ones as "?".
func (t *Table) Place(n uint32) string {
	s := &t.spots[n]
	last := -1
	for i, q := range s.Qualifiers {
		if q != 0 {
			last = i
		}
	}
	parts := make([]string, last+1)
	for i := range parts {
		if parts[i] = t.texts[s.Qualifiers[i]]; parts[i] == "" {
			parts[i] = "?"
		}
	}
	return strings.Join(parts, ".")
}

// SourcesOf returns the paths of the files that a spot comes from.
func (t *Table) SourcesOf(n uint32) []string {
	var out []string
	for i := range t.files {
		if t.spots[n].Sources&(1<<i) != 0 {
			out = append(out, t.files[i].File.Path)
		}
	}
	return out
}
