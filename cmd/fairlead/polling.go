package main

import (
	"context"
	"time"
)

// watchPoll is how often a command that watches asks the node.
const watchPoll = 2 * time.Second

// polling calls look now and then every watchPoll until the context ends, which is no error, or look returns one.
func polling(ctx context.Context, look func(context.Context) error) error {
	tick := time.NewTicker(watchPoll)
	defer tick.Stop()
	for {
		if err := look(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return apiError(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
