package udp

import (
	"net"
	"net/netip"
	"strconv"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// FuzzControlData feeds what the kernel would write beside a datagram. Whatever it is, the response has a source that lies
// inside the control data, and IPv4 has no zone.
func FuzzControlData(f *testing.F) {
	info := func(level, kind int32, data []byte) []byte {
		b := make([]byte, unix.CmsgSpace(len(data)))
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		h.Level, h.Type = level, kind
		h.SetLen(unix.CmsgLen(len(data)))
		copy(b[unix.CmsgLen(0):], data)
		return b
	}
	f.Add(false, info(unix.IPPROTO_IP, unix.IP_PKTINFO, []byte{1, 0, 0, 0, 127, 53, 0, 77, 127, 53, 0, 77}))
	v6 := netip.MustParseAddr("fe80::1").As16()
	f.Add(true, info(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, append(v6[:], 1, 0, 0, 0)))
	f.Add(true, []byte{})
	f.Fuzz(func(t *testing.T, six bool, data []byte) {
		bind := netip.IPv4Unspecified()
		if six {
			bind = netip.IPv6Unspecified()
		}
		r := newRing(netip.AddrPortFrom(bind, 53))
		length := copy(r.controls[0].b[:r.infoLen], data)
		r.learnSource(0, length)
		p := &r.packets[0]
		if n := r.sourceLen[0]; n != 0 && n != r.infoLen || n > length {
			t.Errorf("the source has %d octets of %d", n, length)
		}
		if p.Local.Port() != 53 || p.Local.Addr().Is4() == six || !six && p.Local.Addr().Zone() != "" {
			t.Errorf("got %s", p.Local)
		}
	})
}

func TestZones(t *testing.T) {
	r := newRing(netip.MustParseAddrPort("[::]:53"))
	loopback, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
	name := unix.RawSockaddrInet6{Addr: netip.MustParseAddr("fe80::1").As16(), Scope_id: uint32(loopback.Index)}
	if got := r.sender(&name).Addr().String(); got != "fe80::1%lo" {
		t.Errorf("got %s, want fe80::1%%lo", got)
	}
	if got := testing.AllocsPerRun(100, func() { r.sender(&name) }); got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
	name.Addr = netip.MustParseAddr("2001:db8::1").As16()
	if got := r.sender(&name).Addr().String(); got != "2001:db8::1" {
		t.Errorf("got %s, want no zone", got)
	}
	const unknown = 1 << 30 // no machine has as many interfaces
	for i := range uint32(3 * maxZones) {
		if got, want := r.zone(unknown+i), strconv.Itoa(int(unknown+i)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestLinkLocal asks over an interface that has a link-local address, if there is one.
func TestLinkLocal(t *testing.T) {
	at, ok := linkLocal(t)
	if !ok {
		t.Skip("no interface has a link-local address")
	}
	for _, io := range batched(t) {
		for _, bind := range []netip.Addr{at, netip.IPv6Unspecified()} {
			t.Run(io.String()+" "+bind.String(), func(t *testing.T) {
				h := &echo{}
				s := start(t, bind, io, h)
				to := netip.AddrPortFrom(at, s.Addr().Port())
				conn := dial(t, to)
				if got := ask(t, conn, []byte("hello")); string(got) != "hello" {
					t.Errorf("got %q", got)
				}
				if p := h.last(); p.From != local(conn) || p.Local != to {
					t.Errorf("got from %s to %s, want from %s to %s", p.From, p.Local, local(conn), to)
				}
			})
		}
	}
}

// linkLocal returns an address that is up.
func linkLocal(t *testing.T) (netip.Addr, bool) {
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			prefix, err := netip.ParsePrefix(a.String())
			if err == nil && prefix.Addr().Is6() && prefix.Addr().IsLinkLocalUnicast() && i.Flags&net.FlagRunning != 0 {
				return prefix.Addr().WithZone(i.Name), true
			}
		}
	}
	return netip.Addr{}, false
}

func TestDropsAreCounted(t *testing.T) {
	g := newGate(nil)
	s := start(t, loopback4, Netpoll, g)
	w := s.workers[0].(*batchWorker)
	for _, option := range []int{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF} { // the smallest there is
		_ = unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, option, 1)
	}
	conn := dial(t, s.Addr())
	const sent = 200
	g.inOneBatch(t, conn, func() {
		for range sent {
			if _, err := conn.Write(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
	})
	waitFor(t, "all to be served or dropped", func() bool { st := s.Stats(); return st.Packets+st.KernelDrops == sent+1 })
	if st := s.Stats(); st.KernelDrops == 0 {
		t.Errorf("a full buffer dropped nothing: %+v", st)
	}
}
