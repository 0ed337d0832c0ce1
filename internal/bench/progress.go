package bench

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// progressInterval is the time between two lines of progress.
const progressInterval = time.Second

// Watch prints a line of progress to w each second until ctx ends.
func (g *Generator) Watch(ctx context.Context, w io.Writer) {
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	var last Counts
	for second := 1; ; second++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		c := g.Counts()
		fmt.Fprintf(w, "%4ds  %8d/s sent  %8d/s right  %d lost  %d wrong\n", second, c.Sent-last.Sent, c.Right-last.Right, c.Lost, c.Wrong)
		last = c
	}
}

// details prints counters by name.
func details(m map[string]uint64) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		words = append(words, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(words, ", ")
}
