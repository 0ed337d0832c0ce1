package bench

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// sweepInterval is how often a worker looks for queries that timed out.
const sweepInterval = time.Millisecond

// worker is one goroutine's part of a run: some lanes, a place in the queries, and what was counted. The engines drive it.
type worker struct {
	o     *Options
	lanes []*lane
	tally tally

	start   time.Time
	from    time.Duration // end of the warm-up
	until   time.Duration // end of sending
	stopped bool          // until has come, or the context has ended
	done    <-chan struct{}

	next  uint32  // query to send next
	gap   float64 // nanoseconds between queries that are due; 0: closed loop
	taken uint64  // queries that were due and have been sent

	swept time.Duration
}

func newWorker(ctx context.Context, o *Options, number, of, sockets int) *worker {
	w := &worker{o: o, from: o.Warmup, until: o.Warmup + o.Duration, done: ctx.Done()}
	w.tally.latency = newHistogram()
	random := rand.New(rand.NewPCG(uint64(number), uint64(len(o.Queries.wire))))
	for range sockets {
		w.lanes = append(w.lanes, newLane(o.Outstanding, random))
	}
	w.next = uint32(o.Queries.Len() / of * number)
	if o.Rate > 0 {
		w.gap = 1e9 * float64(of) / o.Rate
	}
	return w
}

// now is the time since the start of the run.
func (w *worker) now() time.Duration { return time.Since(w.start) }

// sending reports whether it is still time to send, and notes the first time that it is not.
func (w *worker) sending(now time.Duration) bool {
	if w.stopped {
		return false
	}
	select {
	case <-w.done:
		w.until = min(w.until, now)
	default:
	}
	if now < w.until {
		return true
	}
	w.stopped = true
	if w.gap > 0 {
		w.tally.unsent = w.due(w.until)
	}
	return false
}

// due returns how many queries should have been sent and were not.
func (w *worker) due(now time.Duration) uint64 {
	all := uint64(float64(now)/w.gap) + 1
	return all - min(w.taken, all)
}

// nextDue returns when the next query is due in an open loop.
func (w *worker) nextDue() time.Duration { return time.Duration(float64(w.taken) * w.gap) }

// allowance returns how many queries to send on a lane. In a closed loop small refills wait for more: full batches are
// what makes the generator cheap.
func (w *worker) allowance(l *lane, now time.Duration) int {
	credit := min(len(l.free), w.o.Batch)
	if w.gap > 0 {
		return int(min(uint64(credit), w.due(now)))
	}
	if 2*credit < min(w.o.Outstanding, w.o.Batch) {
		return 0
	}
	return credit
}

// compose writes the next query to dst and returns its length.
func (w *worker) compose(l *lane, dst []byte, now time.Duration) int {
	at := now
	if w.gap > 0 {
		at = w.nextDue()
		w.taken++
	}
	n := copy(dst, w.o.Queries.message(w.next))
	binary.BigEndian.PutUint16(dst, l.take(w.next, at, now))
	if w.next++; int(w.next) == w.o.Queries.Len() {
		w.next = 0
	}
	if at >= w.from {
		w.tally.sent++
	}
	w.tally.allSent++
	return n
}

// revoke takes back the last n composed queries, which the kernel did not take.
func (w *worker) revoke(l *lane, messages [][]byte) {
	for i := len(messages) - 1; i >= 0; i-- {
		s := l.find(messages[i])
		if s.at >= w.from {
			w.tally.sent--
		}
		w.tally.allSent--
		w.next = s.query
		if w.gap > 0 {
			w.taken--
		}
		l.put(s)
	}
}

// accept counts a message that arrived on a lane.
func (w *worker) accept(l *lane, message []byte, now time.Duration) {
	s := l.find(message)
	if s == nil {
		w.tally.unexpected++
		return
	}
	found := w.o.Expect.judge(message, w.o.Queries.question(s.query))
	l.put(s)
	if found == right {
		w.tally.allRight++
	}
	if s.at < w.from {
		return
	}
	w.tally.rcodes[message[3]&maskRcode]++
	if found != right {
		w.tally.wrong[found]++
		return
	}
	w.tally.answered++
	w.tally.latency.record(now - s.at)
}

// sweep counts what timed out as lost and publishes the counters, now and then.
func (w *worker) sweep(now time.Duration) {
	if now-w.swept < sweepInterval {
		return
	}
	w.swept = now
	for _, l := range w.lanes {
		if l.out() > 0 {
			w.lose(l, now-w.o.Timeout)
		}
	}
	w.tally.publish()
}

// lose counts the queries of a lane that were sent before limit as lost.
func (w *worker) lose(l *lane, limit time.Duration) {
	for i := range l.slots {
		s := &l.slots[i]
		if !s.busy || s.sent >= limit {
			continue
		}
		if s.at >= w.from {
			w.tally.lost++
		}
		l.put(s)
	}
}

// out returns the number of outstanding queries.
func (w *worker) out() int {
	n := 0
	for _, l := range w.lanes {
		n += l.out()
	}
	return n
}
