package ldns

// Stats counts what a Prober did since New, and what it does.
type Stats struct {
	Sent     [kinds]uint64 // packets, by Kind
	Unsent   [kinds]uint64 // of them those that the system refused to send
	Measured [kinds]uint64 // rounds that were answered
	Silent   uint64        // rounds that were not
	Strays   uint64        // answers that nobody waited for: late ones, and forged ones
	Refused  [refusals]uint64
	Waiting  int // resolvers whose round has not begun
	Flying   int // rounds under way
	Known    int // resolvers that are remembered as answering or silent
}

// Stats returns the numbers of the moment.
func (p *Prober) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Waiting = p.preferred.len() + p.others.len()
	s.Flying = p.flying + p.ready.len()
	s.Known = p.known.len()
	return s
}
