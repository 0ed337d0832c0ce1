//go:build !linux

package icmp

// tellErrors has nothing to ask for: what a raw socket gets is all there is.
func (s *Socket) tellErrors() {}

func (s *Socket) readErrors() bool { return false }

// full is not known: sending may wait.
func (s *Socket) full() bool { return false }
