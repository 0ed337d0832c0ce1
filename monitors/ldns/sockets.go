package ldns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"fairlead/monitors/icmp"
)

const (
	// readSize is the longest datagram that is looked at; of longer ones the beginning is.
	readSize = 512
	// dnsSockets is how many sockets of a family queries leave from by turns, so that an answer must guess the port, too.
	dnsSockets = 4
	// maxConnects is how many handshakes of TCP are under way.
	maxConnects = 512
	// readPause is the rest after an error of reading.
	readPause = 100 * time.Millisecond
)

// errBusy says that too many handshakes are under way.
var errBusy = errors.New("too many connections are being opened")

// sockets is the carrier that uses the network. Sockets are opened when the first packet is to leave from them.
type sockets struct {
	prober *Prober
	port   uint16
	log    *zap.Logger
	ctx    context.Context
	stop   context.CancelFunc
	slots  chan struct{} // of handshakes
	group  sync.WaitGroup

	// The rest is read and written by the Prober's goroutine alone.
	ping    [families]*icmp.Socket // nil: there is none
	queries [families][dnsSockets]*net.UDPConn
	tried   [kinds][families]bool
	pings   uint16 // sequence of the last echo request
	out     []byte
}

// families are IPv4 and IPv6, in this order.
const families = 2

func familyOf(is6 bool) int {
	if is6 {
		return 1
	}
	return 0
}

func newSockets(p *Prober, port uint16, log *zap.Logger) *sockets {
	s := &sockets{prober: p, port: port, log: log, slots: make(chan struct{}, maxConnects)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// can implements carrier.
func (s *sockets) can(k Kind, is6 bool) bool {
	f := familyOf(is6)
	if !s.tried[k][f] && s.ctx.Err() == nil {
		s.tried[k][f] = true
		switch k {
		case Ping:
			s.openPing(f)
		case DNS:
			s.openQueries(f)
		}
	}
	switch k {
	case Ping:
		return s.ping[f] != nil
	case DNS:
		return s.queries[f][0] != nil
	}
	return true
}

// send implements carrier.
func (s *sockets) send(k Kind, to netip.Addr, token uint64) error {
	switch k {
	case Ping:
		return s.sendPing(to, token)
	case DNS:
		return s.sendQuery(to, token)
	}
	select {
	case s.slots <- struct{}{}:
	default:
		return errBusy
	}
	s.group.Go(func() { s.connect(to, token) })
	return nil
}

// close implements carrier.
func (s *sockets) close() {
	s.stop()
	for f := range families {
		if c := s.ping[f]; c != nil {
			_ = c.Close()
		}
		for _, c := range s.queries[f] {
			if c != nil {
				_ = c.Close()
			}
		}
	}
	s.group.Wait()
}

// rest waits after an error of reading. It reports false when reading is over.
func (s *sockets) rest(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	t := time.NewTimer(readPause)
	defer t.Stop()
	select {
	case <-s.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
