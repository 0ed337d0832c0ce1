package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
)

const (
	// maxLargeBodies is how many bodies above MaxBodyBytes, or of a length that is not told, are read and worked on at once: each may take as much
	// memory as its operation lets it have. Some more wait for their turn.
	maxLargeBodies, maxLargeWaiting = 4, 8
	// largeBodyWait is the longest that one waits for its turn.
	largeBodyWait = 10 * time.Second
)

// largeBody lets in requests of an operation that takes large bodies, after it is known that who sent them may. A slow one has as long to be answered
// as it may take, and then as long as any other.
func (r *resources) largeBody(timeout time.Duration) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		req, w := humachi.Unwrap(hc)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(largeBodyWait + timeout + writeTimeout)) // recorders of tests have none
		if req.ContentLength >= 0 && req.ContentLength <= MaxBodyBytes {
			next(hc)
			return
		}
		waiting, stop := context.WithTimeout(hc.Context(), largeBodyWait)
		leave, err := r.largeBodies.enter(waiting)
		stop()
		if err != nil {
			p := (*problem)(nil)
			if !errors.As(err, &p) {
				p = failure()
			}
			w.Header().Set("Connection", "close") // what it sends is not read
			writeProblem(w, p)
			return
		}
		defer leave()
		next(hc)
	}
}
