package script

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"fairlead/monitors/guard"
)

// DefaultConcurrency is how many programs run at once unless Options say otherwise.
const DefaultConcurrency = 16

// Options say what may be run. The zero value allows no program.
type Options struct {
	// Directories hold the programs, also in directories below. An entry may be a single program.
	Directories []string
	// Environment is the names of the variables that a program may be given, if it asks for them.
	Environment []string
	// Concurrency is how many programs run at once; others wait. 0: DefaultConcurrency.
	Concurrency int
}

// Runner runs programs. Safe for concurrent use.
type Runner struct {
	opts  Options
	slots chan struct{}
}

// New returns a Runner.
func New(o Options) *Runner {
	if o.Concurrency < 1 {
		o.Concurrency = DefaultConcurrency
	}
	return &Runner{opts: o, slots: make(chan struct{}, o.Concurrency)}
}

// Command is a program with its arguments and what it is told besides.
type Command struct {
	Argv        []string // the program, by its absolute path, and its arguments
	Environment []string // names of variables that it gets if Options allow them
	Variables   []string // NAME=VALUE that it gets in any case
}

// Exit codes of plugins; all others count as Unknown.
const (
	OK       = 0
	Warning  = 1
	Critical = 2
	Unknown  = 3
)

// Outcome is what a program that ended by itself has said.
type Outcome struct {
	Code   int    // its exit code
	Line   string // first line of its output without the performance data; of its errors when there is none. At most MaxLine bytes
	Values []Value
}

// Value is a number of the performance data.
type Value struct {
	Name  string
	Value float64
	Unit  string
}

// Run runs a program to its end, and returns soon after ctx ends: by then the program and all in its process group have been
// killed. The error says why it could not be run or did not end by itself; it wraps that of ctx when it was stopped for it.
func (r *Runner) Run(ctx context.Context, c Command) (Outcome, error) {
	if len(c.Argv) == 0 {
		return Outcome{}, errors.New("no program to run")
	}
	program, err := r.program(c.Argv[0])
	if err != nil {
		return Outcome{}, fmt.Errorf("run %s: %w", c.Argv[0], err)
	}
	if err := ctx.Err(); err != nil {
		return Outcome{}, err
	}
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return Outcome{}, fmt.Errorf("not run: %d other programs were running all the time (node file: probes.scripts.concurrency)", cap(r.slots))
	}
	p, err := start(program, c.Argv, r.environment(c))
	if err != nil {
		<-r.slots
		return Outcome{}, fmt.Errorf("run %s: %w", c.Argv[0], withoutPath(err))
	}
	go p.watch(func() { <-r.slots })
	return p.wait(ctx)
}

var errOutside = errors.New("outside of the directories whose programs may be run (node file: probes.scripts.directories)")

// program returns the real path of a program that may be run.
func (r *Runner) program(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", errors.New("not an absolute path")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil && !guard.Named(path, r.opts.Directories) && !isNamed(path, r.opts.Directories) {
		return "", errOutside // who may not run what is there does not learn either what is there
	}
	if err != nil {
		return "", withoutPath(err)
	}
	if !guard.Below(real, r.opts.Directories) && !isOne(real, r.opts.Directories) {
		return "", errOutside
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", withoutPath(err)
	}
	directory, err := os.Stat(filepath.Dir(real))
	if err != nil {
		return "", withoutPath(err)
	}
	const everyone = 0o002
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return "", errors.New("not a regular file")
	case mode.Perm()&0o111 == 0:
		return "", errors.New("not executable: chmod +x")
	case mode.Perm()&everyone != 0:
		return "", errors.New("everyone on this machine can write it: chmod o-w")
	case directory.Mode().Perm()&everyone != 0 && directory.Mode()&fs.ModeSticky == 0:
		return "", errors.New("everyone on this machine can replace it: chmod o-w its directory")
	}
	return real, nil
}

// isOne reports whether a real path is that of one of the entries itself.
func isOne(real string, entries []string) bool {
	return slices.ContainsFunc(entries, func(e string) bool {
		e, err := guard.Real(e)
		return err == nil && e == real
	})
}

// isNamed reports whether a path is written as one of the entries.
func isNamed(path string, entries []string) bool {
	return slices.ContainsFunc(entries, func(e string) bool {
		e, err := filepath.Abs(e)
		return err == nil && e == filepath.Clean(path)
	})
}

// environment is all that a program finds in its environment.
func (r *Runner) environment(c Command) []string {
	out := []string{"PATH=/usr/bin:/bin", "LANG=C"}
	for _, name := range c.Environment {
		if value, ok := os.LookupEnv(name); ok && slices.Contains(r.opts.Environment, name) {
			out = append(out, name+"="+value)
		}
	}
	return append(out, c.Variables...)
}

// withoutPath takes the path off an error: it stands before it already.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
