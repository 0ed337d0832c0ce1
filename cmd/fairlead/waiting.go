package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

const (
	// waitingAfter is how long something takes before the user is told that it is being waited for, and waitingEvery how often after that.
	waitingAfter = time.Second
	waitingEvery = time.Second
)

// showWaiting tells on a terminal what takes its time, until the function is called that it returns.
func showWaiting(w io.Writer, what string) (done func()) {
	if !isTerminal(w) || os.Getenv("TERM") == "dumb" {
		return func() {}
	}
	began, stop := time.Now(), make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		next, shown := time.NewTimer(waitingAfter), false
		defer next.Stop()
		for {
			select {
			case <-stop:
				if shown {
					fmt.Fprint(w, "\r\x1b[K")
				}
				return
			case <-next.C:
				fmt.Fprintf(w, "\r\x1b[K%s, %s", what, time.Since(began).Round(time.Second))
				shown = true
				next.Reset(waitingEvery)
			}
		}
	})
	return func() { close(stop); ended.Wait() }
}

// terminalInput reports whether a person types what the command reads.
func terminalInput(cmd *cobra.Command) bool {
	f, ok := cmd.InOrStdin().(*os.File)
	return ok && isTerminal(f)
}
