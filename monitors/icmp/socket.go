package icmp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// readSize is the longest message that is looked at; of longer ones the beginning is.
const readSize = 2048

// Socket is a socket of one family. Send may be called at any time; Read belongs to one goroutine.
type Socket struct {
	conn *icmp.PacketConn
	six  bool
	raw  bool // addresses are *net.IPAddr; the identifier is ours
	own  uint16
	in   []byte

	mu    sync.Mutex
	out   []byte
	queue []Event // of the system's queue of errors, that Read is yet to tell
}

// sendTries is how often a request is sent: an error about one packet may be told to the next one, whoever that is for.
const sendTries = 3

// errFull says that what was sent waits to leave this machine, and more would wait with it: for the addresses of hosts beside it, of
// which it asks a dead one for seconds.
var errFull = errors.New("too many requests wait to leave this machine")

// UnavailableError is why neither kind of socket could be opened. It wraps neither reason: what to do about it is what counts.
type UnavailableError struct{ Datagram, Raw error }

// Error says what to do about it.
func (e *UnavailableError) Error() string {
	why := e.Raw
	if errno, ok := errors.AsType[syscall.Errno](why); ok {
		why = errno
	}
	return fmt.Sprintf("this node may not send ICMP (%v): have its group in net.ipv4.ping_group_range, or give it CAP_NET_RAW", why)
}

// Open opens a socket for IPv6 or IPv4. The error is an *UnavailableError.
func Open(six bool) (*Socket, error) {
	networks, wildcard := [2]string{"udp4", "ip4:icmp"}, "0.0.0.0"
	if six {
		networks, wildcard = [2]string{"udp6", "ip6:ipv6-icmp"}, "::"
	}
	s := &Socket{six: six, in: make([]byte, readSize)}
	var id [2]byte
	_, _ = rand.Read(id[:]) // never fails
	s.own = binary.BigEndian.Uint16(id[:])
	var datagram, raw error
	if s.conn, datagram = icmp.ListenPacket(networks[0], wildcard); datagram != nil {
		if s.conn, raw = icmp.ListenPacket(networks[1], wildcard); raw != nil {
			return nil, &UnavailableError{Datagram: datagram, Raw: raw}
		}
		s.raw = true
	}
	s.filter()
	if !s.raw { // which gets errors as messages
		s.tellErrors()
	}
	return s, nil
}

// filter has the system pass what Read looks at. That is for speed: where it cannot be set, more comes.
func (s *Socket) filter() {
	if s.six {
		var only ipv6.ICMPFilter
		only.SetAll(true)
		for _, kind := range []ipv6.ICMPType{typeReply6, typeUnreachable6, typeTooBig6, typeExceeded6} {
			only.Accept(kind)
		}
		_ = s.conn.IPv6PacketConn().SetICMPFilter(&only)
		return
	}
	if s.raw {
		var only ipv4.ICMPFilter
		only.SetAll(true)
		for _, kind := range []ipv4.ICMPType{typeReply4, typeUnreachable4, typeExceeded4} {
			only.Accept(kind)
		}
		_ = s.conn.IPv4PacketConn().SetICMPFilter(&only)
	}
}

// Send sends one request with size octets after its header. It does not wait: there is an error when too much of what this socket sent
// has not left this machine. Safe for concurrent use.
func (s *Socket) Send(to netip.Addr, sequence uint16, token uint64, size int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full() {
		return fmt.Errorf("ping %s: %w", to, errFull)
	}
	s.out = appendRequest(s.out[:0], s.six, Echo{s.own, sequence, token}, min(max(size, MinSize), MaxSize))
	ip := net.IP(to.AsSlice())
	var addr net.Addr = &net.UDPAddr{IP: ip, Zone: to.Zone()}
	if s.raw {
		addr = &net.IPAddr{IP: ip, Zone: to.Zone()}
	}
	var err error
	for range sendTries {
		if _, err = s.conn.WriteTo(s.out, addr); err == nil {
			return nil
		}
		if s.readErrors() {
			_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // Read has something to tell
		}
	}
	return fmt.Errorf("ping %s: %w", to, err)
}

// Read returns what came back next. It returns an error when the socket is closed, or reading failed; what is not about a request of
// this socket is passed over.
func (s *Socket) Read() (Event, error) {
	for {
		if e, ok := s.queued(); ok {
			return e, nil
		}
		n, from, err := s.conn.ReadFrom(s.in)
		if err != nil {
			_ = s.conn.SetReadDeadline(time.Time{})
			s.mu.Lock()
			told := s.readErrors() || len(s.queue) > 0 || errors.Is(err, os.ErrDeadlineExceeded)
			s.mu.Unlock()
			if told {
				continue
			}
			return Event{}, err
		}
		if e, ok := readMessage(s.in[:n], s.six, address(from), time.Now()); ok && (!s.raw || e.Echo.Identifier == s.own) {
			return e, nil
		}
	}
}

func (s *Socket) queued() (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return Event{}, false
	}
	e := s.queue[len(s.queue)-1]
	s.queue = s.queue[:len(s.queue)-1]
	return e, true
}

// Close closes the socket: Read and Send fail from then on.
func (s *Socket) Close() error { return s.conn.Close() }

// address is the address that a message came from, without a zone.
func address(a net.Addr) netip.Addr {
	var ip net.IP
	switch a := a.(type) {
	case *net.UDPAddr:
		ip = a.IP
	case *net.IPAddr:
		ip = a.IP
	}
	out, _ := netip.AddrFromSlice(ip)
	return out.Unmap()
}
