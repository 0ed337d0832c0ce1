package udp

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// bufferStride is the distance of the buffers. At a distance of a page the beginnings of all of them would compete for
	// the same few lines of the processor's first cache.
	bufferStride = BufferSize + 128

	// controlOctetsPerPacket holds the source address and the segment size.
	controlOctetsPerPacket = 64

	// maxZones is how many interfaces' names a ring remembers.
	maxZones = 8
)

// control is the control data of one datagram, aligned as the kernel's structures are.
type control struct {
	_ [0]uint64
	b [controlOctetsPerPacket]byte
}

// ring is the memory of one worker that the kernel reads and writes: one place for each datagram of a batch. It points
// into itself, so it is made by newRing, on the heap, and not copied.
type ring struct {
	packets  [BatchSize]Packet
	names    [BatchSize]unix.RawSockaddrInet6 // of the senders; large enough for both families, the rest stays 0
	controls [BatchSize]control               // with a wildcard: the destination, then the source of the response
	in       [BatchSize]unix.Mmsghdr
	iovIn    [BatchSize]unix.Iovec
	arena    []byte

	v4       bool
	wildcard bool
	nameLen  uint32
	infoLen  int // octets of control data that are expected with each datagram
	port     uint16
	local    netip.AddrPort

	zones    [maxZones]zone
	nextZone int

	sending
}

// zone is an interface and its name.
type zone struct {
	index uint32
	name  string
}

// newRing returns a ring for a socket bound to addr.
func newRing(addr netip.AddrPort) *ring {
	r := &ring{
		v4: addr.Addr().Is4(), wildcard: addr.Addr().IsUnspecified(), port: addr.Port(), local: addr,
		nameLen: unix.SizeofSockaddrInet6, arena: make([]byte, BatchSize*bufferStride),
	}
	if r.v4 {
		r.nameLen = unix.SizeofSockaddrInet4
	}
	switch {
	case r.wildcard && r.v4:
		r.infoLen = unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	case r.wildcard:
		r.infoLen = unix.CmsgSpace(unix.SizeofInet6Pktinfo)
	}
	for i := range r.packets {
		buf := r.arena[i*bufferStride:][:BufferSize:BufferSize]
		r.packets[i] = Packet{Buf: buf, Local: addr}
		r.iovIn[i].Base = &buf[0]
		r.iovIn[i].SetLen(BufferSize)
		h := &r.in[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.iovIn[i]
		h.SetIovlen(1)
		if r.wildcard {
			h.Control = &r.controls[i].b[0]
		}
		r.rearm(i)
	}
	r.gso = true
	return r
}

// rearm makes place i ready to receive: the kernel has overwritten the lengths.
func (r *ring) rearm(i int) {
	h := &r.in[i].Hdr
	h.Namelen = r.nameLen
	h.SetControllen(r.infoLen)
	h.Flags = 0
}

// take fills in the packets of the first n places and makes these ready again. It returns how many packets there are: the
// end of the socket shows as an empty datagram from nobody, which is not one.
func (r *ring) take(n int) int {
	for i := range n {
		m := &r.in[i]
		if m.Hdr.Namelen == 0 {
			r.rearm(i)
			return i
		}
		p := &r.packets[i]
		p.N = int(m.Len)
		p.Cut = m.Hdr.Flags&unix.MSG_TRUNC != 0
		p.Out = nil
		p.From = r.sender(&r.names[i])
		if r.wildcard {
			r.learnSource(i, int(m.Hdr.Controllen))
		}
		r.rearm(i)
	}
	return n
}

// sender returns the address that the kernel wrote.
func (r *ring) sender(name *unix.RawSockaddrInet6) netip.AddrPort {
	if r.v4 {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), bigEndian(v4.Port))
	}
	addr := netip.AddrFrom16(name.Addr)
	if name.Scope_id != 0 && addr.IsLinkLocalUnicast() {
		addr = addr.WithZone(r.zone(name.Scope_id))
	}
	return netip.AddrPortFrom(addr, bigEndian(name.Port))
}

// bigEndian returns a number that lies in memory in the network's order.
func bigEndian(n uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&n))[:])
}

// zone returns the name of an interface. It asks the system once for each.
func (r *ring) zone(index uint32) string {
	for i := range r.zones {
		if r.zones[i].index == index {
			return r.zones[i].name
		}
	}
	z := &r.zones[r.nextZone]
	r.nextZone = (r.nextZone + 1) % maxZones
	*z = zone{index, zoneName(index)}
	return z.name
}

// learnSource reads the destination of datagram i from its control data, and makes that the source of the response: the
// address alone, so that the routing table decides on the way, but for a link-local one, which is nothing without its
// interface. Nothing else than the destination was asked for, so it comes first.
func (r *ring) learnSource(i, length int) {
	p, data := &r.packets[i], &r.controls[i]
	r.sourceLen[i], p.Local = 0, r.local
	h := (*unix.Cmsghdr)(unsafe.Pointer(data))
	switch {
	case length < r.infoLen: // unknown: the kernel chooses
	case r.v4 && h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO:
		info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&data.b[unix.CmsgLen(0)]))
		info.Ifindex = 0
		p.Local = netip.AddrPortFrom(netip.AddrFrom4(info.Spec_dst), r.port)
		r.sourceLen[i] = r.infoLen
	case !r.v4 && h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO:
		info := (*unix.Inet6Pktinfo)(unsafe.Pointer(&data.b[unix.CmsgLen(0)]))
		addr := netip.AddrFrom16(info.Addr)
		if addr.IsLinkLocalUnicast() {
			addr = addr.WithZone(r.zone(info.Ifindex))
		} else {
			info.Ifindex = 0
		}
		p.Local = netip.AddrPortFrom(addr, r.port)
		r.sourceLen[i] = r.infoLen
	}
}

// sameWay says whether the responses to i and j go to the same client from the same address.
func (r *ring) sameWay(i, j int) bool {
	if r.names[i] != r.names[j] {
		return false
	}
	return !r.wildcard || r.sourceLen[i] == r.sourceLen[j] && r.packets[i].Local == r.packets[j].Local
}
