package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"fairlead/api/client"
)

// eventRetry is how long to wait before a broken stream of events is opened again.
const eventRetry = time.Second

func newEvents() *cobra.Command {
	var f apiFlags
	var p client.ListenEventsParams
	var most int
	cmd := &cobra.Command{
		Use: "events", Short: "Show what happens, as it happens", Args: cobra.NoArgs,
		Long: `Events shows transitions of services and sites, sessions with other sites, writes of the document and overrides as they happen. A stream that breaks
is opened again where it ended. -o json writes one event a line.`,
		Example: "  fairlead events --type config,transition",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(most); err != nil {
				return err
			}
			c, err := f.client()
			if err != nil {
				return err
			}
			defer c.Close()
			l := &listening{api: c.API(), params: p, out: cmd.OutOrStdout(), notes: cmd.ErrOrStderr(), json: f.output == "json", most: most}
			return l.run(cmd.Context())
		},
	}
	f.add(cmd)
	cmd.Flags().BoolP("follow", "f", true, "go on: that is what it does")
	cmd.Flags().StringSliceVar(&p.Type, "type", nil, "only transition, peer, config, override or audit")
	cmd.Flags().StringVar(&p.LastEventID, "after", "", "go on after this event, by its id")
	cmd.Flags().IntVar(&most, "limit", 0, "end after so many; 0: go on")
	return cmd
}

// listening shows events until there are enough or the command ends.
type listening struct {
	api        client.API
	params     client.ListenEventsParams
	out, notes io.Writer
	json       bool
	most, seen int
}

// errEnough ends listening.
var errEnough = errors.New("enough events")

func (l *listening) run(ctx context.Context) error {
	for heard := false; ; {
		stream, err := l.api.ListenEvents(ctx, l.params)
		if err == nil {
			heard = true
			err = l.read(stream)
			_ = stream.Close() // it has ended
		} else if ctx.Err() == nil && !heard {
			return apiError(err)
		}
		var refused *client.Problem
		switch {
		case errors.Is(err, errEnough) || ctx.Err() != nil:
			return nil
		case errors.As(err, &refused) && refused.Status < 500:
			return apiError(err)
		}
		fmt.Fprintln(l.notes, "the stream of events broke; opening it again")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(eventRetry):
		}
	}
}

func (l *listening) read(stream io.Reader) error {
	r := client.NewEventReader(stream)
	for {
		e, err := r.Next()
		if err != nil {
			return err
		}
		l.params.LastEventID = e.ID
		if l.json {
			_, err = fmt.Fprintf(l.out, "%s\n", e.Raw)
		} else {
			_, err = fmt.Fprintf(l.out, "%s  %-10s  %-24s  %s\n", e.Time.Format(time.RFC3339), printable(e.Type), printable(e.Subject), printable(e.Summary))
		}
		if l.seen++; err != nil {
			return err
		} else if l.seen == l.most {
			return errEnough
		}
	}
}
