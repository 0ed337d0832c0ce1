package icmp

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// quote is an error about a request to an address, as a router sends it.
func quote(six bool, kind, code byte, to netip.Addr, request []byte) []byte {
	out := []byte{kind, code, 0, 0, 0, 0, 0, 0}
	if six {
		h := make([]byte, headerSize6)
		h[0], h[6] = 0x60, protocolICMP6
		copy(h[24:], to.AsSlice())
		return append(append(out, h...), request...)
	}
	h := make([]byte, 24) // with an option
	h[0], h[9] = 0x46, protocolICMP
	copy(h[16:], to.AsSlice())
	return append(append(out, h...), request...)
}

func TestReadMessage(t *testing.T) {
	from4, to4 := netip.MustParseAddr("192.0.2.254"), netip.MustParseAddr("192.0.2.7")
	from6, to6 := netip.MustParseAddr("2001:db8::ff"), netip.MustParseAddr("2001:db8::7")
	echo := Echo{Identifier: 5, Sequence: 6, Token: 0x0102030405060708}
	request4, request6 := appendRequest(nil, false, echo, 57), appendRequest(nil, true, echo, 57)
	reply := func(b []byte, kind byte) []byte { b = append([]byte(nil), b...); b[0] = kind; return b }
	tests := []struct {
		name    string
		six     bool
		from    netip.Addr
		message []byte
		want    string // the failure; "reply"; "" for none
		partial bool
	}{
		{"reply", false, from4, reply(request4, typeReply4), "reply", false},
		{"reply over IPv6", true, from6, reply(request6, typeReply6), "reply", false},
		{"own request", false, from4, request4, "", false},
		{"own request over IPv6", true, from6, request6, "", false},
		{"reply cut short", false, from4, reply(request4, typeReply4)[:headerSize+MinSize-1], "", false},
		{"host unreachable", false, from4, quote(false, typeUnreachable4, 1, to4, request4), "icmp host unreachable", false},
		{"prohibited, 8 octets quoted", false, from4, quote(false, typeUnreachable4, 13, to4, request4[:8]), "icmp communication prohibited", true},
		{"exceeded", false, from4, quote(false, typeExceeded4, 0, to4, request4), "icmp time exceeded", false},
		{"unknown code", false, from4, quote(false, typeUnreachable4, 200, to4, request4), "icmp unreachable (code 200)", false},
		{"host unreachable over IPv6", true, from6, quote(true, typeUnreachable6, 3, to6, request6), "icmp host unreachable", false},
		{"too big", true, from6, quote(true, typeTooBig6, 0, to6, request6), "icmp packet too big", false},
		{"about a reply", false, from4, quote(false, typeUnreachable4, 1, to4, reply(request4, typeReply4)), "", false},
		{"quote cut short", false, from4, quote(false, typeUnreachable4, 1, to4, request4[:7]), "", false},
		{"no quote", false, from4, quote(false, typeUnreachable4, 1, to4, nil)[:headerSize], "", false},
		{"about UDP", false, from4, func() []byte { b := quote(false, typeUnreachable4, 1, to4, request4); b[headerSize+9] = 17; return b }(), "", false},
		{"empty", true, from6, nil, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, ok := readMessage(tt.message, tt.six, tt.from, time.Now())
			if ok != (tt.want != "") {
				t.Fatalf("recognized: %t, want %t", ok, tt.want != "")
			}
			if !ok {
				return
			}
			got, from := "reply", tt.from
			if e.Failure != nil {
				got, from = e.Failure.Error(), map[bool]netip.Addr{false: to4, true: to6}[tt.six]
			}
			if got != tt.want || e.From != from || e.Partial != tt.partial || e.Echo.Sequence != 6 || !tt.partial && e.Echo.Token != echo.Token {
				t.Errorf("got %q, %+v; want %q of %s, partial %t", got, e, tt.want, from, tt.partial)
			}
			if got == "reply" && e.Size != 57 {
				t.Errorf("size %d, want 57", e.Size)
			}
		})
	}
}

func TestChecksum(t *testing.T) {
	for size := MinSize; size < 70; size++ {
		if b := appendRequest(nil, false, Echo{1, 2, 3}, size); checksum(b) != 0 || len(b) != headerSize+size {
			t.Errorf("size %d: %d octets with a checksum that leaves %#x", size, len(b), checksum(b))
		}
	}
}

func FuzzReadMessage(f *testing.F) {
	to := netip.MustParseAddr("192.0.2.7")
	f.Add(appendRequest(nil, false, Echo{1, 2, 3}, 56), false)
	f.Add(quote(false, typeUnreachable4, 1, to, appendRequest(nil, false, Echo{1, 2, 3}, 16)), false)
	f.Add(quote(true, typeUnreachable6, 3, netip.MustParseAddr("2001:db8::7"), appendRequest(nil, true, Echo{1, 2, 3}, 16)), true)
	f.Fuzz(func(t *testing.T, b []byte, six bool) {
		e, ok := readMessage(b, six, to, time.Time{})
		if !ok {
			return
		}
		if e.Failure == nil && (len(b) < headerSize+MinSize || e.Echo.Token != binary.BigEndian.Uint64(b[8:]) || e.From != to) {
			t.Errorf("reply %+v of %x", e, b)
		}
		if e.Failure != nil && (e.From.Is6() != six || e.Failure.Error() == "") {
			t.Errorf("failure %+v of %x", e, b)
		}
	})
}
