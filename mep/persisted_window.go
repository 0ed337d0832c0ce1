package mep

import (
	"sync"
	"time"
)

// What a peer is known to keep up with bounds what it is told of sessions: a million of them must not fill the buffers of
// a slow link, where services would wait behind them.
const (
	// minTold and maxTold bound the octets of Sessions frames that a peer has not confirmed.
	minTold = 16 << 10
	maxTold = 1 << 20
	// maxToldFrames is the most frames of them, and maxToldWaiting the most that wait to be written.
	maxToldFrames  = 128
	maxToldWaiting = 32
	// toldPrompt is how quickly a peer confirms when more can be told at once; toldLate is when less is.
	toldPrompt = time.Second
	toldLate   = 3 * time.Second
)

// persistedWindow counts the Sessions frames of one session: taken by TellSessions, written, and confirmed by the peer's KeepAlives, which
// tell how far it has read.
type persistedWindow struct {
	mu      sync.Mutex
	window  int // octets that may be unconfirmed
	unheard int // octets that are
	taken   uint64
	written uint64
	heard   uint64
	frames  []toldFrame // maxToldFrames, once there was one: those between heard and taken, each at its number modulo that
}

type toldFrame struct {
	octets   int
	at       time.Time
	sequence uint64 // 0: not written yet
}

// reserve counts a frame that is about to be posted, unless there is too much already.
func (t *persistedWindow) reserve(octets int, now time.Time) (number uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken-t.heard >= maxToldFrames || t.taken-t.written >= maxToldWaiting || t.unheard > 0 && t.unheard+octets > max(t.window, minTold) {
		return 0, false
	}
	if t.frames == nil {
		t.frames = make([]toldFrame, maxToldFrames)
	}
	t.taken++
	t.unheard += octets
	t.frames[t.taken%maxToldFrames] = toldFrame{octets: octets, at: now}
	return t.taken, true
}

// release takes back the last reserve: the frame was not posted.
func (t *persistedWindow) release(octets int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken--
	t.unheard -= octets
}

// writing notes that the next frame is written now. They are written in the order of their numbers.
func (t *persistedWindow) writing(sequence uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.written++
	t.frames[t.written%maxToldFrames].sequence = sequence
}

// confirmed takes in that the peer has read all frames up to a sequence.
func (t *persistedWindow) confirmed(sequence uint64, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	octets, took := 0, time.Duration(0)
	for t.heard < t.written {
		f := &t.frames[(t.heard+1)%maxToldFrames]
		if f.sequence > sequence {
			break
		}
		t.heard++
		octets, took = octets+f.octets, max(took, now.Sub(f.at))
	}
	t.unheard -= octets
	switch t.window = max(t.window, minTold); {
	case took <= toldPrompt:
		t.window = min(t.window+octets, maxTold)
	case took > toldLate:
		t.window = max(t.window/2, minTold)
	}
}

func (t *persistedWindow) received() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard
}
