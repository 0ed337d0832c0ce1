package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// settleLimit is how long both sites may take to see everything UP. The first screen is shown then in any case, with what
// is true.
const settleLimit = 10 * time.Second

// Options say how a demo is run. Out is required.
type Options struct {
	Out io.Writer
	// Color marks events in colour, for a terminal.
	Color bool
	// Story plays the story: a server fails, the sites lose each other, all heals.
	Story bool
	// FreePorts takes any free ports instead of the usual ones, so that several demos do not meet.
	FreePorts bool
	// Command is how the program is called, for the commands that are shown. Empty: as from its source.
	Command string
	// Logger gets what the nodes log. nil: nobody.
	Logger *zap.Logger
}

// Run runs two sites until ctx ends, and returns nil when all of it has ended. It fails when the sites cannot be started,
// when one of them cannot go on, or when Out takes nothing.
func Run(ctx context.Context, o Options) error {
	if o.Command == "" {
		o.Command = defaultCommand
	}
	events := newJournal(o.Out, o.Color)
	w, err := newWorld(ctx, worldOptions{Ports: ports{any: o.FreePorts}, Tell: events.Tell, Logger: o.Logger})
	if err != nil {
		return fmt.Errorf("start the demo: %w", err)
	}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return w.run(running) })
	group.Go(func() error { return present(running, o, w, events) })
	if err := group.Wait(); err != nil {
		return fmt.Errorf("run the demo: %w", err)
	}
	return write(o.Out, "Stopped. Nothing is left behind.\n")
}

// present shows the first screen when there is something to see, and from then on what happens, until ctx ends.
func present(ctx context.Context, o Options, w *world, events *journal) error {
	await(ctx, settleLimit, w.settled)
	if ctx.Err() != nil {
		return nil
	}
	if err := write(o.Out, screen(w, o.Command, o.Story)); err != nil {
		return err
	}
	events.open.Store(true)
	group, printing := errgroup.WithContext(ctx)
	group.Go(func() error { return events.Run(printing) })
	if o.Story {
		group.Go(func() error { tellStory(printing, story(), w, events.Tell); return nil })
	}
	return group.Wait()
}

func write(out io.Writer, text string) error {
	if _, err := io.WriteString(out, text); err != nil {
		return fmt.Errorf("write to the terminal: %w", err)
	}
	return nil
}
