package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/monitors/guard"
)

// Limits of secrets.
const (
	maxBytes  = 64 << 10
	maxCached = 1024        // files that are remembered; further ones are read each time
	lookAgain = time.Second // time between two looks at whether a file has changed
)

// Options say where secrets may be. The zero value allows none.
type Options struct {
	// Directories hold the files that may be read, also in directories below.
	Directories []string
	// Environment is the names of the variables that may be read.
	Environment []string
	// CredentialsDirectory is where systemd put this unit's credentials: $CREDENTIALS_DIRECTORY. All of them may be read.
	CredentialsDirectory string
	Logger               *zap.Logger
}

// Secrets reads secrets. Safe for concurrent use.
type Secrets struct {
	opts Options
	log  *zap.Logger

	mu     sync.Mutex
	files  map[config.Secret]*file
	warned map[string]bool // by path; at most maxCached
}

// file is what was read of a file, and what told that it had not changed.
type file struct {
	value  string
	info   fs.FileInfo
	looked time.Time
}

// New returns Secrets.
func New(o Options) *Secrets {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &Secrets{opts: o, log: o.Logger, files: make(map[config.Secret]*file), warned: make(map[string]bool)}
}

// Read returns a secret without the newline at its end. A file is read again within a second after it changed. The error says
// what is wrong and which key of the node file changes it.
func (s *Secrets) Read(from config.Secret) (string, error) {
	kind, name := from.Source()
	var value string
	var err error
	switch kind {
	case config.SecretFile:
		value, err = s.readFile(from, name, s.opts.Directories)
	case config.SecretEnv:
		value, err = s.readVariable(name)
	case config.SecretCredential:
		value, err = s.readCredential(from, name)
	default:
		return "", errors.New("read secret: it does not say where it is: write file:PATH, env:NAME or credential:NAME")
	}
	if err == nil && value == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", fmt.Errorf("read secret %s:%s: %w", kind, name, err)
	}
	return value, nil
}

func (s *Secrets) readVariable(name string) (string, error) {
	if !slices.Contains(s.opts.Environment, name) {
		return "", errors.New("not a variable that may be read (node file: probes.secrets.environment)")
	}
	value, ok := os.LookupEnv(name)
	if !ok {
		return "", errors.New("this process has no such variable")
	}
	if len(value) > maxBytes {
		return "", errTooLarge
	}
	return value, nil
}

func (s *Secrets) readCredential(from config.Secret, name string) (string, error) {
	if s.opts.CredentialsDirectory == "" {
		return "", errors.New("systemd gave this process no credentials: add LoadCredential= to its unit")
	}
	if name != filepath.Base(name) || name == "." || name == ".." {
		return "", errors.New("not the name of a credential")
	}
	return s.readFile(from, filepath.Join(s.opts.CredentialsDirectory, name), []string{s.opts.CredentialsDirectory})
}

// readFile returns what a file holds, from memory while it has not changed. What is remembered belongs to the way that led there:
// another way has other rights.
func (s *Secrets) readFile(from config.Secret, path string, directories []string) (string, error) {
	now := time.Now()
	s.mu.Lock()
	known := s.files[from]
	if known != nil && now.Sub(known.looked) < lookAgain {
		defer s.mu.Unlock()
		return known.value, nil
	}
	s.mu.Unlock()

	fresh, err := s.look(path, directories, known)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		delete(s.files, from)
		return "", err
	}
	fresh.looked = now
	if _, there := s.files[from]; there || len(s.files) < maxCached {
		s.files[from] = fresh
	}
	return fresh.value, nil
}

var (
	errTooLarge = fmt.Errorf("it is larger than %d KiB", maxBytes>>10)
	errOutside  = errors.New("outside of the directories whose files may be read (node file: probes.secrets.directories)")
)

// look opens a file below one of directories and reads it, unless it is as known. The file that is judged is the one that is
// read: the directory is opened first, and nothing leads out of it.
func (s *Secrets) look(path string, directories []string, known *file) (*file, error) {
	if !filepath.IsAbs(path) {
		return nil, errors.New("not an absolute path")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil && !guard.Named(path, directories) {
		return nil, errOutside // who may not read there does not learn either what is there
	}
	if err != nil {
		return nil, withoutPath(err)
	}
	f, err := openBelow(real, directories)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, withoutPath(err)
	}
	if err := s.judge(path, info); err != nil {
		return nil, err
	}
	if known != nil && known.same(info) {
		return &file{value: known.value, info: info}, nil
	}
	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	switch {
	case err != nil:
		return nil, withoutPath(err)
	case len(text) > maxBytes:
		return nil, errTooLarge
	}
	return &file{value: withoutNewline(string(text)), info: info}, nil
}

// same reports whether a file is the one that was read: another one may have its time and its size, as files out of an image do.
func (f *file) same(info fs.FileInfo) bool {
	return os.SameFile(f.info, info) && f.info.Size() == info.Size() && f.info.ModTime().Equal(info.ModTime())
}

// openBelow opens a real path below one of directories. It does not wait for a pipe's other end.
func openBelow(real string, directories []string) (*os.File, error) {
	for _, d := range directories {
		if !guard.Below(real, []string{d}) {
			continue
		}
		d, err := guard.Real(d)
		if err != nil {
			return nil, withoutPath(err)
		}
		root, err := os.OpenRoot(d)
		if err != nil {
			return nil, withoutPath(err)
		}
		defer root.Close()
		rest, err := filepath.Rel(d, real)
		if err != nil {
			return nil, err
		}
		f, err := root.OpenFile(rest, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, withoutPath(err)
		}
		return f, nil
	}
	return nil, errOutside
}

// judge refuses what is no plain file, and one that anybody can replace the contents of; it warns once of one that anybody can read.
func (s *Secrets) judge(path string, info fs.FileInfo) error {
	mode := info.Mode()
	switch {
	case !mode.IsRegular():
		return errors.New("not a regular file")
	case info.Size() > maxBytes:
		return errTooLarge
	case mode.Perm()&0o002 != 0 && judgesModes:
		return fmt.Errorf("everyone on this machine can write it (mode %04o): chmod o-w", mode.Perm())
	case mode.Perm()&0o004 != 0 && judgesModes:
		s.warn(path, mode.Perm())
	}
	return nil
}

func (s *Secrets) warn(path string, mode fs.FileMode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.warned[path] || len(s.warned) >= maxCached {
		return
	}
	s.warned[path] = true
	s.log.Warn("monitor.secret_readable", zap.String("file", path), zap.Stringer("mode", mode), zap.String("why", "everyone on this machine can read it"))
}

func withoutNewline(s string) string {
	if line, ok := strings.CutSuffix(s, "\n"); ok {
		return strings.TrimSuffix(line, "\r")
	}
	return s
}

// withoutPath takes the path off an error: it stands before it already.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
