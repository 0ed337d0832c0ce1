package backup

import (
	"errors"
	"io"
	"time"
)

// Names of entries. Parts are below them: data/ is the data directory, export/ the document for people, node/ the node file and the files of tokens,
// secrets/ keys and secrets.
const (
	headName     = "fairlead-backup"
	manifestName = "manifest.json"

	dataDir    = "data/"
	exportDir  = "export/"
	nodeDir    = "node/"
	secretsDir = "secrets/"
)

// Limits of a backup.
const (
	// Version is the format that is written, and the newest that is read.
	Version = 1
	// MaxParts is how many files one can have, MaxBytes how many octets all together.
	MaxParts = 100_000
	MaxBytes = 64 << 30
	// MinPassphrase is how short a passphrase can be, in octets.
	MinPassphrase = 12

	maxHead     = 64 << 10
	maxManifest = 64 << 20
	maxName     = 1024
)

// Errors that callers tell apart.
var (
	// ErrForeign says that a file is no backup of Fairlead, or of a later format.
	ErrForeign = errors.New("it is not a backup that this release reads")
	// ErrDamaged says that a backup is not what was written.
	ErrDamaged = errors.New("the backup is damaged")
	// ErrPassphrase says that the passphrase is missing or wrong.
	ErrPassphrase = errors.New("the backup is encrypted, and the passphrase is missing or wrong")
	// ErrSecrets says that a backup without a passphrase would have secrets.
	ErrSecrets = errors.New("the document holds secrets, which are written with a passphrase only")
)

// Head says what a backup is of.
type Head struct {
	Version  int       `json:"version"`
	Site     string    `json:"site,omitempty"`
	Created  time.Time `json:"created"`
	Release  string    `json:"release,omitempty"`
	Revision string    `json:"revision,omitempty"` // of the document
	Document string    `json:"document,omitempty"` // its hash
	Secrets  bool      `json:"secrets"`
}

// Manifest lists what a backup has.
type Manifest struct {
	Head
	Parts []Entry `json:"parts"`
}

// Entry is one part of a backup.
type Entry struct {
	Name   string `json:"name"`
	Path   string `json:"path,omitempty"` // where it was, if that was not in the data directory
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Part is one part on its way into a backup.
type Part struct {
	Name  string                // below one of the directories above
	Path  string                // where it is, if that is not in the data directory
	Write func(io.Writer) error // writes it once; its length need not be known
}

// Contents is what goes into a backup.
type Contents struct {
	Head
	Parts []Part
	// Open says why it cannot be written without a passphrase: an error that wraps ErrSecrets. Nil: it can.
	Open func() error
}
