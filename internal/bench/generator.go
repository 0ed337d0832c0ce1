package bench

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Engines, as the result names them.
const (
	engineRaw      = "raw"
	enginePortable = "portable"
)

// maxReconnects is how often one connection is opened again after the server closed it.
const maxReconnects = 1000

// dialTimeout limits opening one connection.
const dialTimeout = 3 * time.Second

// Generator sends queries and checks the answers. Make one with New; Run may be called once.
type Generator struct {
	o      Options
	engine string

	mu      sync.Mutex
	workers []*worker
}

// New returns a generator. It opens nothing yet.
func New(o Options) (*Generator, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	g := &Generator{o: o, engine: engineRaw}
	if o.Portable || !hasRaw || o.Transport == TLS {
		g.engine = enginePortable
	}
	return g, nil
}

// Run measures until the duration is over or ctx ends, then waits for the last answers, at most the time-out. What was
// measured until then is the result, also when ctx ended. An error means that the run could not be started, or that
// no connection was left.
func (g *Generator) Run(ctx context.Context) (*Result, error) {
	if err := bindProcess(g.o.CPUs); err != nil {
		return nil, fmt.Errorf("bind to CPUs %v: %w", g.o.CPUs, err)
	}
	runWorker, workers, each := runPortable, g.o.Sockets, func(int) int { return 1 }
	if g.engine == engineRaw {
		runWorker, workers = runRaw, g.o.Threads
		each = func(i int) int { return (g.o.Sockets + i) / g.o.Threads }
		// Raw system calls do not tell the scheduler that they may take a while: leave it room for the others.
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), workers+2)))
	}
	group, inner := errgroup.WithContext(ctx)
	g.mu.Lock()
	for i := range workers {
		g.workers = append(g.workers, newWorker(inner, &g.o, i, workers, each(i)))
	}
	g.mu.Unlock()
	used, start := processTime(), time.Now()
	for _, w := range g.workers {
		w.start = start
		group.Go(func() error { return runWorker(inner, w) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	r := g.result()
	r.Interrupted = ctx.Err() != nil
	r.Generator.CPUSeconds = round((processTime() - used).Seconds(), 6)
	if all := g.Counts().Sent; all > 0 {
		busy := max(r.Generator.CPUSeconds-r.Generator.IdleSeconds, 0)
		r.Generator.MicrosecondsPerQuery = round(busy*1e6/float64(all), 3)
	}
	return r, nil
}

// Counts returns what was counted so far. It may be called at any time from any goroutine; the raw engine publishes its
// counters every few milliseconds.
func (g *Generator) Counts() Counts {
	g.mu.Lock()
	defer g.mu.Unlock()
	var c Counts
	for _, w := range g.workers {
		p := &w.tally.published
		c.Sent += p.sent.Load()
		c.Right += p.right.Load()
		c.Lost += p.lost.Load()
		c.Wrong += p.wrong.Load()
	}
	return c
}
