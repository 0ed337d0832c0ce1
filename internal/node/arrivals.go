package node

import (
	"fmt"
	"sync"
	"time"
)

const (
	// arrivalShare is the share of time, one part in this many, that zones from primaries may take to be compiled when
	// they come one after another. What comes meanwhile is compiled as one.
	arrivalShare = 5
	// maxArrivalRest is the longest a zone waits for others.
	maxArrivalRest = time.Second
)

// arrivals gathers zones that came from primaries or have expired. Compiling takes time in proportion to all zones, so
// that many of them together cost no more than one.
type arrivals struct {
	ending <-chan struct{} // closed when the node ends

	mu       sync.Mutex
	gathered *arrivalBatch // that others can join; nil: none
	rest     time.Time     // not before then is the next batch compiled
}

// arrivalBatch is zones that are compiled together.
type arrivalBatch struct {
	zones []string
	done  chan struct{} // closed when errs is complete
	errs  map[string]error
}

// join adds a zone to the batch that gathers. first says that it is a new one, which the caller must compile.
func (a *arrivals) join(zone string) (b *arrivalBatch, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if first = a.gathered == nil; first {
		a.gathered = &arrivalBatch{done: make(chan struct{}), errs: map[string]error{}}
	}
	a.gathered.zones = append(a.gathered.zones, zone)
	return a.gathered, first
}

// wait returns when the next batch may be compiled.
func (a *arrivals) wait() {
	a.mu.Lock()
	left := time.Until(a.rest)
	a.mu.Unlock()
	if left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.ending:
	}
}

// close keeps others from joining a batch that is complete.
func (a *arrivals) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gathered = nil
}

// took sets when the next batch may be compiled, after one.
func (a *arrivals) took(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rest = time.Now().Add(min((arrivalShare-1)*d, maxArrivalRest))
}

// zoneArrived serves a zone that a primary sent, or that has expired. The document stays. An error means that the zone
// cannot be served as it came. Safe for concurrent use; it waits for zones that come at the same time.
func (n *Node) zoneArrived(zone string) error {
	a := &n.zones.arrivals
	b, first := a.join(zone)
	if first {
		a.wait()
		n.serveArrivals(a, b)
	}
	<-b.done
	return b.errs[zone]
}

func (n *Node) serveArrivals(a *arrivals, b *arrivalBatch) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	a.close()
	defer close(b.done)
	began := time.Now()
	in := n.withArrivals(n.newest, b.zones, b.errs)
	a.took(time.Since(began))
	if in != n.newest {
		n.newest, n.beside = in, n.beside+1
		n.serveLater(in)
	}
}

// withArrivals is an intent with what zones have now. A zone that cannot be served is as it was, and why is noted in errs;
// it is found by halving, so that one among many does not cost a compilation of each.
func (n *Node) withArrivals(in *intent, zones []string, errs map[string]error) *intent {
	compiled, err := in.zones.Replace(in.document, in.plan, zones, n.zones.secondary.Records)
	switch {
	case err == nil:
		next := *in
		next.zones, next.octets = compiled, 0 // no document was read
		return &next
	case len(zones) == 1:
		errs[zones[0]] = fmt.Errorf("compile zone %q: %w", zones[0], err)
		return in
	}
	half := len(zones) / 2
	return n.withArrivals(n.withArrivals(in, zones[:half], errs), zones[half:], errs)
}
