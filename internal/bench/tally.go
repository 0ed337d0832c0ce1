package bench

import (
	"sync/atomic"
	"time"
)

// tally is what one worker counts. Only published may be read by others while it runs.
type tally struct {
	sent, answered, lost uint64 // of the measured time
	wrong                [faultCount]uint64
	rcodes               [16]uint64
	unexpected           uint64 // messages that answer nothing outstanding
	sendErrors           uint64
	unsent               uint64 // due, but not sent before the end
	reconnects           uint64
	latency              *histogram
	idle                 time.Duration // spent on looking in vain

	allSent, allRight uint64 // the warm-up included

	published struct{ sent, right, lost, wrong atomic.Uint64 }
}

// Counts are totals since the start, the warm-up included; Lost and Wrong leave it out.
type Counts struct {
	Sent  uint64 // queries
	Right uint64 // answers that passed every check
	Lost  uint64
	Wrong uint64
}

func (t *tally) wrongs() uint64 {
	var n uint64
	for _, w := range t.wrong {
		n += w
	}
	return n
}

func (t *tally) publish() {
	t.published.sent.Store(t.allSent)
	t.published.right.Store(t.allRight)
	t.published.lost.Store(t.lost)
	t.published.wrong.Store(t.wrongs())
}

func (t *tally) add(other *tally) {
	t.sent += other.sent
	t.answered += other.answered
	t.lost += other.lost
	for i, n := range other.wrong {
		t.wrong[i] += n
	}
	for i, n := range other.rcodes {
		t.rcodes[i] += n
	}
	t.unexpected += other.unexpected
	t.sendErrors += other.sendErrors
	t.unsent += other.unsent
	t.reconnects += other.reconnects
	t.latency.add(other.latency)
	t.idle += other.idle
}
