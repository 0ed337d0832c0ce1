package node

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"fairlead/api"
	"fairlead/config"
	"fairlead/config/geodata"
)

const (
	// firstGeoLoad is the longest that a start waits for location files. When it takes longer, the node answers without them
	// and goes on reading.
	firstGeoLoad = 30 * time.Second
	// largeGeoFile is the size from which reading a file leaves memory worth returning.
	largeGeoFile = 4 << 20
)

// geo keeps the location files of the node: it reads them at start and again when they change. A file that is in use is
// never replaced by one that cannot be read.
type geo struct {
	log     *zap.Logger
	files   []geodata.File
	check   time.Duration
	changed func()
	again   chan struct{} // somebody wants the files to be read

	table atomic.Pointer[geodata.Table] // nil: nothing was read

	mu    sync.Mutex
	state map[string]*geoFile // by path

	seen map[string]os.FileInfo // as of the last attempt; belongs to who reads
}

// geoFile is what is told of one file.
type geoFile struct {
	failure            string
	failedAt, loadedAt time.Time
	loads, refusals    uint64
}

func newGeo(c *config.NodeGeoIP, log *zap.Logger, changed func()) *geo {
	g := &geo{log: log, check: max(c.Check.Std(), time.Second), changed: changed, again: make(chan struct{}, 1), state: map[string]*geoFile{}}
	g.files = GeoFiles(c)
	for _, f := range g.files {
		g.state[f.Path] = &geoFile{}
	}
	return g
}

// GeoFiles returns the location files that a node file names, in the order of precedence.
func GeoFiles(c *config.NodeGeoIP) (files []geodata.File) {
	for i := range c.CSV {
		f := &c.CSV[i]
		files = append(files, geodata.File{Path: f.File, Format: geodata.Format(f.Format), Locations: f.Locations})
	}
	for _, path := range c.Databases {
		files = append(files, geodata.File{Path: path, Format: geodata.MMDB})
	}
	return files
}

// first reads the files, but not for long. It reports whether there is something to locate clients by.
func (g *geo) first(ctx context.Context) bool {
	if len(g.files) == 0 {
		return false
	}
	limited, cancel := context.WithTimeout(ctx, firstGeoLoad)
	defer cancel()
	if changed := g.read(limited); changed || limited.Err() == nil {
		return changed
	}
	if ctx.Err() == nil {
		g.log.Warn("geo.slow", zap.Duration("waited", firstGeoLoad), zap.String("then", "clients are not located until the files are read"))
		g.seen = nil
		g.reread()
	}
	return false
}

// reread asks for the files to be read, changed or not.
func (g *geo) reread() {
	select {
	case g.again <- struct{}{}:
	default:
	}
}

// run reads the files when they change, until ctx ends.
func (g *geo) run(ctx context.Context) error {
	if len(g.files) == 0 {
		return nil
	}
	ticker := time.NewTicker(g.check)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-g.again:
		case <-ticker.C:
			if now := g.look(); g.same(now) {
				continue
			}
		}
		if g.read(ctx) {
			g.changed()
		}
	}
}

// read makes a table of the files as they are. It reports whether there is a new one.
func (g *geo) read(ctx context.Context) bool {
	g.seen = g.look()
	began, files := time.Now(), slices.Clone(g.files)
	for len(files) > 0 {
		table, err := geodata.Load(ctx, files)
		if err == nil {
			g.take(table, time.Since(began))
			return true
		}
		var refused *geodata.FileError
		if !errors.As(err, &refused) {
			return false // ctx has ended
		}
		at := slices.IndexFunc(files, func(f geodata.File) bool { return f.Path == refused.Path || f.Locations == refused.Path })
		if at < 0 {
			return false
		}
		inUse := g.refuse(files[at].Path, err)
		if inUse {
			return false // what it says is not lost
		}
		files = slices.Delete(files, at, at+1)
	}
	return false
}

// take makes a table the one in use.
func (g *geo) take(t *geodata.Table, took time.Duration) {
	g.table.Store(t)
	g.mu.Lock()
	entries, octets := 0, int64(0)
	for _, f := range t.Files() {
		s := g.state[f.File.Path]
		s.loads, s.loadedAt, s.failure = s.loads+1, time.Now(), ""
		entries, octets = entries+f.Entries, max(octets, f.Size)
	}
	g.mu.Unlock()
	g.log.Info("geo.loaded", zap.Int("files", len(t.Files())), zap.Int("entries", entries), zap.Int("places", t.Spots()-1),
		zap.Int("octets", t.Bytes()), zap.Duration("took", took))
	if octets > largeGeoFile {
		debug.FreeOSMemory()
	}
}

// refuse notes that a file cannot be read. It reports whether what it said before is in use.
func (g *geo) refuse(path string, err error) (inUse bool) {
	if t := g.table.Load(); t != nil {
		inUse = slices.ContainsFunc(t.Files(), func(f geodata.FileInfo) bool { return f.File.Path == path })
	}
	g.mu.Lock()
	s := g.state[path]
	s.failure, s.failedAt, s.refusals = err.Error(), time.Now(), s.refusals+1
	g.mu.Unlock()
	then := "what was read before stays in use"
	if !inUse {
		then = "clients are located without it"
	}
	g.log.Error("geo.refused", zap.String("file", path), zap.Error(err), zap.String("then", then))
	return inUse
}

// look returns how the files are now. Those that are missing or may not be read are left out, so that they are read when
// that changes.
func (g *geo) look() map[string]os.FileInfo {
	out := map[string]os.FileInfo{}
	for _, f := range g.files {
		for _, path := range []string{f.Path, f.Locations} {
			if info, err := os.Stat(path); path != "" && err == nil && readable(path, info) {
				out[path] = info
			}
		}
	}
	return out
}

// readable reports whether a file can be opened. Only regular files are tried: opening a pipe might never end.
func readable(path string, info os.FileInfo) bool {
	if !info.Mode().IsRegular() {
		return true
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	_ = f.Close() // nothing was written
	return true
}

// same reports whether the files are as they were when they were read.
func (g *geo) same(now map[string]os.FileInfo) bool {
	if len(now) != len(g.seen) {
		return false
	}
	for path, a := range now {
		b, ok := g.seen[path]
		if !ok || a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) || !os.SameFile(a, b) {
			return false
		}
	}
	return true
}

// status tells of all files, in the order of precedence.
func (g *geo) status() []api.GeoStatus {
	used := map[string]geodata.FileInfo{}
	if t := g.table.Load(); t != nil {
		for _, f := range t.Files() {
			used[f.File.Path] = f
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]api.GeoStatus, 0, len(g.files))
	for _, f := range g.files {
		s := g.state[f.Path]
		info, ok := used[f.Path]
		out = append(out, api.GeoStatus{
			File: f.Path, Format: string(f.Format), Used: ok, Entries: info.Entries, Octets: info.Size, Changed: info.Changed,
			Built: info.Built, Loaded: s.loadedAt, Failure: s.failure, FailedAt: s.failedAt, Loads: s.loads, Refusals: s.refusals,
		})
	}
	return out
}

// meetGeo reads the location files before anything is answered.
func (n *Node) meetGeo(ctx context.Context) {
	if !n.geo.first(ctx) {
		return
	}
	n.reloading.Lock()
	defer n.reloading.Unlock()
	in, err := n.replanned(n.newest)
	if err != nil {
		n.log.Error("config.replan", zap.Error(err), zap.String("then", "clients are not located by files"))
		return
	}
	n.newest, n.beside = in, n.beside+1
	n.publisher.adopt(in, time.Now())
}
