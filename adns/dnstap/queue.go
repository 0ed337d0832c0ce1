package dnstap

import "sync"

// chunkOctets is the size of a piece of the queue. The largest frame fits into one.
const chunkOctets = 128 << 10

// octetsPerMessage turns the limit of messages into one of memory. Messages are seldom this long.
const octetsPerMessage = 512

// chunk is a run of whole frames.
type chunk struct {
	data     []byte
	messages int
}

// queue holds frames between the goroutines that answer and the one that writes. Its memory is bounded; it is held
// locked for copying a batch at most.
type queue struct {
	mu        sync.Mutex
	chunks    []*chunk // in order; the last one is filled
	free      []*chunk
	messages  int
	limit     int // of messages
	maxChunks int
	wake      chan struct{} // tells the writer that a chunk is full
}

func newQueue(messages int) *queue {
	return &queue{
		limit: messages, maxChunks: max(messages*octetsPerMessage/chunkOctets, minChunks), wake: make(chan struct{}, 1),
	}
}

// minChunks lets a batch go in while the batch before is written.
const minChunks = 4

// put takes a batch of whole frames, of at most chunkOctets, and reports whether there was room.
func (q *queue) put(batch []byte, messages int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.messages+messages > q.limit {
		return false
	}
	n := len(q.chunks)
	if n == 0 || len(q.chunks[n-1].data)+len(batch) > chunkOctets {
		if n == q.maxChunks {
			return false
		}
		if n > 0 {
			select {
			case q.wake <- struct{}{}:
			default: // it knows
			}
		}
		q.chunks = append(q.chunks, q.empty())
		n++
	}
	c := q.chunks[n-1]
	c.data = append(c.data, batch...)
	c.messages += messages
	q.messages += messages
	return true
}

// empty returns a chunk to fill.
func (q *queue) empty() *chunk {
	if n := len(q.free); n > 0 {
		c := q.free[n-1]
		q.free = q.free[:n-1]
		return c
	}
	return &chunk{data: make([]byte, 0, chunkOctets)}
}

// take returns the oldest chunk, nil when there is none. It is the caller's until giveBack.
func (q *queue) take() *chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.chunks) == 0 {
		return nil
	}
	c := q.chunks[0]
	q.chunks[0] = nil
	q.chunks = append(q.chunks[:0], q.chunks[1:]...)
	q.messages -= c.messages
	return c
}

// keptChunks is how many empty chunks wait for the next burst.
const keptChunks = 8

// giveBack returns a chunk that was written.
func (q *queue) giveBack(c *chunk) {
	c.data, c.messages = c.data[:0], 0
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.free) < keptChunks {
		q.free = append(q.free, c)
	}
}
