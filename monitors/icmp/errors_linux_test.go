package icmp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// queuedError is what the system says besides of an error in its queue.
func queuedError(t *testing.T, six bool, errno unix.Errno, origin, kind, code byte) []byte {
	t.Helper()
	header := unix.Cmsghdr{Level: unix.IPPROTO_IP, Type: unix.IP_RECVERR}
	if six {
		header = unix.Cmsghdr{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_RECVERR}
	}
	told := unix.SockExtendedErr{Errno: uint32(errno), Origin: origin, Type: kind, Code: code}
	header.SetLen(unix.CmsgLen(binary.Size(told)))
	var b bytes.Buffer
	for _, part := range []any{header, told} {
		if err := binary.Write(&b, binary.NativeEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestReadError(t *testing.T) {
	to4, to6 := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")
	echo := Echo{Identifier: 5, Sequence: 6, Token: 7}
	const icmp4, icmp6, local = unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6, unix.SO_EE_ORIGIN_LOCAL
	tests := []struct {
		name               string
		six                bool
		errno              unix.Errno
		origin, kind, code byte
		want               string // "": it is passed over
	}{
		{"host unreachable", false, unix.EHOSTUNREACH, icmp4, typeUnreachable4, 1, "icmp host unreachable"},
		{"time exceeded", false, unix.EHOSTUNREACH, icmp4, typeExceeded4, 0, "icmp time exceeded"},
		{"redirect: the request went on by another way", false, unix.EREMOTEIO, icmp4, 5, 1, ""},
		{"source quench", false, unix.EREMOTEIO, icmp4, 4, 0, ""},
		{"nobody has the address", false, unix.EHOSTUNREACH, local, 0, 0, "icmp host unreachable"},
		{"larger than the interface takes", false, unix.EMSGSIZE, local, 0, 0, "icmp packet too big"},
		{"no route over IPv6", true, unix.ENETUNREACH, icmp6, typeUnreachable6, 0, "icmp no route"},
		{"too big over IPv6", true, unix.EMSGSIZE, icmp6, typeTooBig6, 0, "icmp packet too big"},
		{"nobody has the IPv6 address", true, unix.EHOSTUNREACH, local, 0, 0, "icmp host unreachable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want, to := to4, unix.Sockaddr(&unix.SockaddrInet4{Addr: to4.As4()})
			if tt.six {
				want, to = to6, &unix.SockaddrInet6{Addr: to6.As16()}
			}
			e, ok := readError(tt.six, appendRequest(nil, tt.six, echo, 56), queuedError(t, tt.six, tt.errno, tt.origin, tt.kind, tt.code), to)
			if ok != (tt.want != "") {
				t.Fatalf("an error of a request: %t (%v), want %t", ok, e.Failure, tt.want != "")
			}
			if ok && (e.Failure.Error() != tt.want || e.From != want || e.Echo != echo || e.Partial) {
				t.Errorf("got %+v: %v; want %q of %s", e, e.Failure, tt.want, want)
			}
		})
	}
}
