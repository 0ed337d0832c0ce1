package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"fairlead/api/resource"
)

// Requests that take a core for a while, or wait for another site, are worked on by so many at once; some more wait for
// their turn, and all others are told to come back.
const (
	maxExplaining, maxExplainWaiting = 4, 16
	maxAskingSites, maxSitesWaiting  = 16, 16
	maxWhatIf, maxWhatIfWaiting      = 1, 4
	maxTesting, maxTestsWaiting      = 4, 8

	// explainWait is the longest that an explanation waits for its turn.
	explainWait = 5 * time.Second
	// trialWait is the longest that a test of a monitor or a load source waits for its turn.
	trialWait = 4 * time.Second
	// retryAfter is when a client that was turned away may come back.
	retryAfter = time.Second
)

// line is where requests of a kind wait for their turn. Safe for concurrent use.
type line struct {
	what    string        // for people
	places  chan struct{} // of those who work and those who wait
	working chan struct{}
}

func newLine(what string, working, waiting int) *line {
	return &line{what: what, places: make(chan struct{}, working+waiting), working: make(chan struct{}, working)}
}

// enter waits for the turn of a request, until ctx ends. leave is to be called when it is done. A full line turns away at once.
func (l *line) enter(ctx context.Context) (leave func(), err error) {
	select {
	case l.places <- struct{}{}:
	default:
		return nil, l.busy()
	}
	select {
	case l.working <- struct{}{}:
		return func() { <-l.working; <-l.places }, nil
	case <-ctx.Done():
		<-l.places
		return nil, l.busy()
	}
}

// busy is the problem of a request that did not get its turn.
func (l *line) busy() *problem {
	p := newProblem(http.StatusServiceUnavailable, resource.Fault{Pointer: "/path", Code: resource.CodeBusy,
		Detail: fmt.Sprintf("%d %s are being worked on already, which is the limit; ask again in a moment", cap(l.working), l.what)})
	p.retry = retryAfter
	return p
}
