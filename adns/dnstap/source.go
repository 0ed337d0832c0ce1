package dnstap

// Limits of a Source's batch.
const (
	batchOctets = 16 << 10 // a batch that has grown to this goes to the queue by itself
	// keptOctets is what a Source holds on to after a batch with a long message.
	keptOctets = 2 * batchOctets
)

// Source takes the messages of one goroutine. It is not safe for concurrent use. A Source needs no closing, but what was
// not flushed is lost with it.
type Source struct {
	sink     *Sink
	batch    []byte
	messages int
}

// Queries reports whether queries are wanted.
func (s *Source) Queries() bool { return s.sink.queries }

// Responses reports whether responses are wanted.
func (s *Source) Responses() bool { return s.sink.responses }

// Query takes an AUTH_QUERY message. It does nothing when queries are not wanted.
func (s *Source) Query(m *Message) {
	if s.sink.queries {
		s.add(authQuery, m)
	}
}

// Response takes an AUTH_RESPONSE message. It does nothing when responses are not wanted.
func (s *Source) Response(m *Message) {
	if s.sink.responses {
		s.add(authResponse, m)
	}
}

func (s *Source) add(kind messageType, m *Message) {
	if len(m.Wire) > MaxWireOctets || len(m.Zone) > maxZoneOctets {
		s.sink.dropped.Add(1)
		return
	}
	if s.batch == nil {
		s.batch = make([]byte, 0, keptOctets)
	}
	s.batch = appendFrame(s.batch, s.sink.envelope, kind, m)
	s.messages++
	if len(s.batch) >= batchOctets {
		s.Flush()
	}
}

// maxZoneOctets is the limit of a name on the wire.
const maxZoneOctets = 255

// Flush passes what was taken to the Sink, or drops and counts it when the queue is full. Call it once per batch of
// queries, and before the Source is left.
func (s *Source) Flush() {
	if s.messages == 0 {
		return
	}
	if !s.sink.queue.put(s.batch, s.messages) {
		s.sink.dropped.Add(uint64(s.messages))
	}
	s.batch, s.messages = s.batch[:0], 0
	if cap(s.batch) > keptOctets {
		s.batch = nil
	}
}
