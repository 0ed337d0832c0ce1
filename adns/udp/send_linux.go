package udp

import (
	"syscall"
	"unsafe"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

const (
	// maxSegments and maxGSOOctets bound one send: the kernel takes 64 segments, and what fits into an IP packet.
	maxSegments  = 64
	maxGSOOctets = 60000
	// maxSegment is the longest response that is merged. A segment must fit into the interface's MTU, and a longer one
	// might not.
	maxSegment = 1232
)

// sending is the part of a ring that responses are sent from.
type sending struct {
	out       [BatchSize]unix.Mmsghdr
	iovOut    [BatchSize]unix.Iovec
	owner     [BatchSize]uint8   // the packet that iovOut[i] is the response to
	groups    [BatchSize]group   // what out[i] carries
	segment   [BatchSize]control // control data of merged sends, without a wildcard
	sourceLen [BatchSize]int     // octets in controls that name the source of the response; 0: the kernel chooses
	alone     unix.Mmsghdr       // for one response that is sent again
	gso       bool               // the kernel takes merged sends, as far as is known
}

// group is a run of responses that go out with one send.
type group struct {
	first, count uint8 // in iovOut
	size         int   // of each but the last, which may be shorter
	octets       int
	open         bool // the last one is not shorter
}

// gather turns the responses to the first n packets into sends and returns how many. What cannot be answered is counted.
func (r *ring) gather(n int, c *counters) int {
	responses, sends := 0, 0
	for i := range n {
		response := r.packets[i].response()
		if len(response) == 0 {
			continue
		}
		if r.names[i].Port == 0 { // nobody can be there
			c.writeErrors.Add(1)
			continue
		}
		iov := &r.iovOut[responses]
		iov.Base = &response[0]
		iov.SetLen(len(response))
		r.owner[responses] = uint8(i)
		if sends > 0 && r.joins(&r.groups[sends-1], i, len(response)) {
			r.join(sends-1, len(response))
		} else {
			r.start(sends, responses, i, len(response))
			sends++
		}
		responses++
	}
	return sends
}

// joins says whether the response to packet i can go with the group before it.
func (r *ring) joins(g *group, i, octets int) bool {
	return r.gso && g.open && octets <= g.size && g.size <= maxSegment && g.count < maxSegments &&
		g.octets+octets <= maxGSOOctets && r.sameWay(int(r.owner[g.first]), i)
}

// start makes the response to packet i, which lies in iovOut[at], a send of its own.
func (r *ring) start(send, at, i, octets int) {
	r.groups[send] = group{first: uint8(at), count: 1, size: octets, octets: octets, open: true}
	r.address(&r.out[send].Hdr, at, i)
}

// address fills in a send that begins with iovOut[at], the response to packet i.
func (r *ring) address(h *unix.Msghdr, at, i int) {
	h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
	h.Namelen = r.nameLen
	h.Iov = &r.iovOut[at]
	h.SetIovlen(1)
	h.Control = nil
	h.SetControllen(0)
	if r.wildcard && r.sourceLen[i] > 0 {
		h.Control = &r.controls[i].b[0]
		h.SetControllen(r.sourceLen[i])
	}
}

// join adds the next response to a send. The kernel cuts the octets of all into datagrams of the size of the first.
func (r *ring) join(send, octets int) {
	g, h := &r.groups[send], &r.out[send].Hdr
	g.count++
	g.octets += octets
	g.open = octets == g.size
	h.SetIovlen(int(g.count))
	if g.count > 2 {
		return
	}
	i := r.owner[g.first]
	data, at := &r.segment[send], 0
	if r.wildcard && r.sourceLen[i] > 0 {
		data, at = &r.controls[i], r.sourceLen[i]
	}
	cmsg := (*unix.Cmsghdr)(unsafe.Pointer(&data.b[at]))
	cmsg.Level, cmsg.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	cmsg.SetLen(unix.CmsgLen(2))
	*(*uint16)(unsafe.Pointer(&data.b[at+unix.CmsgLen(0)])) = uint16(g.size)
	h.Control = &data.b[0]
	h.SetControllen(at + unix.CmsgSpace(2))
}

// send sends the responses to the first n packets. The kernel stops at a send that it refuses; that one is dealt with
// alone, so that a client which cannot be reached costs the others nothing. Nothing is tried without end.
func (w *batchWorker) send(n int) {
	r := w.ring
	sends := r.gather(n, &w.counters)
	for at := 0; at < sends; {
		took, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(w.fd), uintptr(unsafe.Pointer(&r.out[at])),
			uintptr(sends-at), unix.MSG_DONTWAIT, 0, 0)
		if errno != 0 || took == 0 {
			w.refused(at, errno)
			at++
			continue
		}
		for range took {
			w.countSent(&r.groups[at])
			at++
		}
	}
}

// countSent counts a send that the kernel took.
func (w *batchWorker) countSent(g *group) {
	w.sentNow += uint64(g.count)
	if g.count > 1 {
		w.gsoSends.Add(1)
		w.gsoPackets.Add(uint64(g.count))
	}
}

// refused deals with a send that the kernel did not take.
func (w *batchWorker) refused(send int, errno syscall.Errno) {
	g := &w.ring.groups[send]
	switch {
	case errno == unix.EAGAIN || errno == unix.ENOBUFS:
		w.dropped.Add(uint64(g.count))
	case g.count == 1:
		w.refusedOne(int(g.first), errno)
	default:
		w.split(g, errno)
	}
}

// split sends the responses of a group one by one. When that works where the group did not, it was the merging that the
// kernel refused: an interface without checksum offload, for example. It is not tried again on this socket.
func (w *batchWorker) split(g *group, cause syscall.Errno) {
	w.gsoRefused.Add(1)
	worked := false
	for at := int(g.first); at < int(g.first)+int(g.count); at++ {
		errno := w.sendAlone(at)
		if errno != 0 {
			w.refusedOne(at, errno)
			continue
		}
		w.sentNow++
		worked = true
	}
	switch cause {
	case unix.EIO, unix.EINVAL, unix.ENOPROTOOPT, unix.EOPNOTSUPP:
		if worked {
			w.ring.gso = false
			w.log.Info("dns.udp.gso_off", zap.Stringer("address", w.ring.local), zap.Error(cause))
		}
	}
}

// sendAlone sends the response in iovOut[at].
func (w *batchWorker) sendAlone(at int) syscall.Errno {
	r := w.ring
	r.address(&r.alone.Hdr, at, int(r.owner[at]))
	_, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(w.fd), uintptr(unsafe.Pointer(&r.alone)), 1, unix.MSG_DONTWAIT, 0, 0)
	return errno
}

// refusedOne deals with the response in iovOut[at]. One that is too large gets a second chance, shorter.
func (w *batchWorker) refusedOne(at int, errno syscall.Errno) {
	r := w.ring
	p := &r.packets[r.owner[at]]
	switch errno {
	case unix.EAGAIN, unix.ENOBUFS:
		w.dropped.Add(1)
		return
	case unix.EMSGSIZE:
		w.tooLarge.Add(1)
	default:
		w.writeErrors.Add(1)
		return
	}
	if w.shorten == nil {
		return
	}
	before := len(p.response())
	w.shorten.TooLarge(p)
	shorter := p.response()
	if len(shorter) == 0 || len(shorter) >= before {
		return
	}
	r.iovOut[at].Base = &shorter[0]
	r.iovOut[at].SetLen(len(shorter))
	switch w.sendAlone(at) {
	case 0:
		w.sentNow++
	case unix.EAGAIN, unix.ENOBUFS:
		w.dropped.Add(1)
	default:
		w.writeErrors.Add(1)
	}
}
