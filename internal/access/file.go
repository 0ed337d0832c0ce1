package access

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"fairlead/config"
	"fairlead/internal/wholefile"
)

const (
	// MaxTokens is how many tokens a file can have.
	MaxTokens = 10_000
	// maxFileBytes bounds the file: a token with all labels that it can have is longer than most.
	maxFileBytes = 32 << 20
	fileVersion  = 1
	fileMode     = 0o600
	// writableByOthers is what a tokens file must not be: who writes it is an admin.
	writableByOthers = 0o022
)

// Token is what a tokens file holds of a token: not the token.
type Token struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	SHA256    string            `json:"sha256"` // of the token's text, in hexadecimal
	Role      string            `json:"role"`   // viewer, operator or admin
	Labels    map[string]string `json:"labels,omitempty"`
	Created   time.Time         `json:"created"`
	CreatedBy string            `json:"created_by,omitempty"`
	Expires   time.Time         `json:"expires,omitzero"`
}

// tokensFile is the form of the file.
type tokensFile struct {
	Version int     `json:"version"`
	Tokens  []Token `json:"tokens"`
}

// known is a tokens file as it was read.
type known struct {
	tokens []Token
	by     map[digest]int // position in tokens
}

// parseTokens reads a tokens file. A key that is not known is an error: it could be a limit that is spelt wrongly.
func parseTokens(text []byte) (*known, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var f tokensFile
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the tokens")
	}
	if f.Version != fileVersion {
		return nil, fmt.Errorf("it has version %d; this release reads %d", f.Version, fileVersion)
	}
	if len(f.Tokens) > MaxTokens {
		return nil, fmt.Errorf("it has %d tokens; the limit is %d", len(f.Tokens), MaxTokens)
	}
	k := &known{tokens: f.Tokens, by: make(map[digest]int, len(f.Tokens))}
	words := make(map[string]bool, 2*len(f.Tokens)) // ids and names, which stand for tokens alike
	for i := range f.Tokens {
		t := &f.Tokens[i]
		sum, err := t.check()
		if err != nil {
			return nil, fmt.Errorf("token %d (%q): %w", i+1, clip(t.Name), err)
		}
		_, twice := k.by[sum]
		if twice || words[t.ID] || words[t.Name] {
			return nil, fmt.Errorf("token %d (%q): its id, name or hash is that of another one", i+1, clip(t.Name))
		}
		k.by[sum], words[t.ID], words[t.Name] = i, true, true
	}
	return k, nil
}

// check checks a token of the file.
func (t *Token) check() (digest, error) {
	var sum digest
	raw, err := hex.DecodeString(t.SHA256)
	if err != nil || len(raw) != len(sum) {
		return sum, errors.New("sha256 is not 64 hexadecimal digits")
	}
	copy(sum[:], raw)
	if err := config.CheckName(t.ID); err != nil {
		return sum, fmt.Errorf("id: %w", err)
	}
	if err := config.CheckName(t.Name); err != nil {
		return sum, fmt.Errorf("name: %w", err)
	}
	if _, err := ParseRole(t.Role); err != nil {
		return sum, err
	}
	return sum, config.CheckLabels(t.Labels)
}

// find returns the position of the token of an id or a name, or -1.
func (k *known) find(idOrName string) int {
	for i := range k.tokens {
		if k.tokens[i].ID == idOrName || k.tokens[i].Name == idOrName {
			return i
		}
	}
	return -1
}

// fileStamp tells a file from what it was before. The zero stamp is that of no file.
type fileStamp struct {
	size     int64
	modified time.Time
}

func stampOf(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{info.Size(), info.ModTime()}
}

// readFile reads the tokens file at path.
func readFile(path string) (*known, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	if info.Mode().Perm()&writableByOthers != 0 {
		return nil, fmt.Errorf("read tokens %q: others on this machine may write it (mode %04o), and make themselves admins: chmod 600 it", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = fmt.Errorf("larger than the limit of %d bytes", maxFileBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("read tokens %q: %w", path, err)
	}
	k, err := parseTokens(text)
	if err != nil {
		return nil, fmt.Errorf("read tokens %q: %w", path, err)
	}
	return k, nil
}

// writeFile replaces the tokens file at path.
func writeFile(path string, tokens []Token) error {
	if tokens == nil {
		tokens = []Token{} // not null
	}
	text, err := json.MarshalIndent(tokensFile{Version: fileVersion, Tokens: tokens}, "", "  ")
	if err != nil {
		return fmt.Errorf("write tokens %q: %w", path, err)
	}
	if err := replace(path, append(text, '\n')); err != nil {
		return fmt.Errorf("write tokens %q: %w", path, err)
	}
	return nil
}

func replace(path string, text []byte) error {
	return wholefile.Write(path, fileMode, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}
