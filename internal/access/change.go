package access

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"fairlead/config"
)

// Errors of Create and Revoke that are the caller's.
var (
	ErrNameTaken     = errors.New("a token of this name exists")
	ErrTooManyTokens = fmt.Errorf("there are %d tokens, which is the limit: revoke some", MaxTokens)
	ErrNoSuchToken   = errors.New("there is no token of this id or name")
)

// TokenSpec is what a new token may do.
type TokenSpec struct {
	Name      string // letters, digits, '-', '_' and '.'; of no other token
	Role      Role
	Labels    map[string]string // it may change only objects that carry all of these
	Expires   time.Time         // zero: never
	CreatedBy string
}

// Check returns what is wrong with it, or nil.
func (s *TokenSpec) Check(now time.Time) error {
	switch err := config.CheckName(s.Name); {
	case err != nil:
		return err
	case s.Role < Viewer || s.Role > Admin:
		return errors.New("it has no role: viewer, operator or admin")
	case !s.Expires.IsZero() && !s.Expires.After(now):
		return errors.New("it would be expired already")
	}
	return config.CheckLabels(s.Labels)
}

// idBytes makes ids of tokens: enough that they do not come twice, and short enough to be read out.
const idBytes = 6

// changing lets one change of one file happen at a time, in this process; lockFile does between processes.
var changing sync.Mutex

// Create adds a token to the file at path, which it makes when there is none, and returns its text. That is nowhere else: who
// loses it makes another one.
func Create(path string, s TokenSpec, now time.Time) (secret string, made Token, err error) {
	if err := s.Check(now); err != nil {
		return "", Token{}, fmt.Errorf("make token %q: %w", clip(s.Name), err)
	}
	secret = newSecret()
	sum, refusal := readSecret(secret)
	if refusal != nil {
		return "", Token{}, refusal // never: it was made a line above
	}
	var id [idBytes]byte
	rand.Read(id[:]) //nolint:errcheck // it never fails
	made = Token{ID: "t-" + hex.EncodeToString(id[:]), Name: s.Name, SHA256: sum.String(), Role: s.Role.String(), Labels: s.Labels,
		Created: now.UTC().Truncate(time.Second), CreatedBy: s.CreatedBy}
	if !s.Expires.IsZero() {
		made.Expires = s.Expires.UTC().Truncate(time.Second)
	}
	err = change(path, func(tokens []Token) ([]Token, error) {
		switch k := (known{tokens: tokens}); {
		case k.find(s.Name) >= 0:
			return nil, ErrNameTaken
		case len(tokens) >= MaxTokens:
			return nil, ErrTooManyTokens
		}
		return append(tokens, made), nil
	})
	if err != nil {
		return "", Token{}, fmt.Errorf("make token %q: %w", s.Name, err)
	}
	return secret, made, nil
}

// Revoke takes the token of an id or a name out of the file at path.
func Revoke(path, idOrName string) (gone Token, err error) {
	err = change(path, func(tokens []Token) ([]Token, error) {
		i := (&known{tokens: tokens}).find(idOrName)
		if i < 0 {
			return nil, ErrNoSuchToken
		}
		gone = tokens[i]
		return slices.Delete(tokens, i, i+1), nil
	})
	if err != nil {
		return Token{}, fmt.Errorf("revoke token %q: %w", clip(idOrName), err)
	}
	return gone, nil
}

// List returns the tokens of the file at path, in its order.
func List(path string) ([]Token, error) {
	k, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return k.tokens, nil
}

// change replaces the file at path with what edit makes of its tokens, and lets nobody else do so meanwhile.
func change(path string, edit func([]Token) ([]Token, error)) (err error) {
	changing.Lock()
	defer changing.Unlock()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	unlock, err := lockFile(path + ".lock")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	k, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		k, err = &known{}, nil
	}
	if err != nil {
		return err
	}
	tokens, err := edit(slices.Clone(k.tokens))
	if err != nil {
		return err
	}
	return writeFile(path, tokens)
}
