package dnstap

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name              string
		identity, version string
		kind              messageType
		message           Message
		want              tapped
	}{
		{"query over UDP and IPv4", "ns1", "fairlead 1", authQuery,
			Message{Protocol: UDP, Client: netip.MustParseAddrPort("192.0.2.7:5353"), Server: netip.MustParseAddrPort("198.51.100.53:53"),
				QueryTime: 1_700_000_000_000_000_007, ResponseTime: 9, Wire: []byte("question")},
			tapped{Identity: "ns1", Version: "fairlead 1", Type: 1, Kind: 1, Family: 1, Protocol: 1,
				QueryAddress: "192.0.2.7", QueryPort: 5353, ResponseAddress: "198.51.100.53", ResponsePort: 53,
				QuerySec: 1_700_000_000, QueryNsec: 7, Query: "question"}},
		{"response over DoT and IPv6", "", "", authResponse,
			Message{Protocol: DOT, Client: netip.MustParseAddrPort("[2001:db8::7]:65535"), Server: netip.MustParseAddrPort("[2001:db8::53]:853"),
				QueryTime: 1_700_000_000_999_999_999, ResponseTime: 1_700_000_001_000_000_000, Wire: []byte("answer"), Zone: []byte("\x07example\x00")},
			tapped{Type: 1, Kind: 2, Family: 2, Protocol: 3, QueryAddress: "2001:db8::7", QueryPort: 65535,
				ResponseAddress: "2001:db8::53", ResponsePort: 853, QuerySec: 1_700_000_000, QueryNsec: 999_999_999,
				ResponseSec: 1_700_000_001, Response: "answer", Zone: "\x07example\x00"}},
		{"the longest message, from nowhere, to nowhere", "", "", authResponse,
			Message{Protocol: DOH, Wire: []byte(strings.Repeat("x", MaxWireOctets))},
			tapped{Type: 1, Kind: 2, Protocol: 4, Response: strings.Repeat("x", MaxWireOctets)}},
		{"a time before 1970", "", "", authQuery, Message{Protocol: TCP, QueryTime: -5},
			tapped{Type: 1, Kind: 1, Protocol: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			frame := appendFrame([]byte("before"), envelope(c.identity, c.version), c.kind, &c.message)[len("before"):]
			if got, want := int(binary.BigEndian.Uint32(frame)), len(frame)-4; got != want {
				t.Fatalf("length of the frame: got %d, want %d", got, want)
			}
			got, err := decode(frame[4:])
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestLargestFrameFitsIntoAChunk holds the limits together.
func TestLargestFrameFitsIntoAChunk(t *testing.T) {
	text := strings.Repeat("i", MaxIdentity)
	m := Message{Protocol: TCP, Client: netip.MustParseAddrPort("[2001:db8::7]:65535"), Server: netip.MustParseAddrPort("[2001:db8::53]:853"),
		QueryTime: 1 << 62, ResponseTime: 1 << 62, Wire: make([]byte, MaxWireOctets), Zone: make([]byte, maxZoneOctets)}
	if n := batchOctets + len(appendFrame(nil, envelope(text, text), authResponse, &m)); n > chunkOctets {
		t.Errorf("a batch with the largest frame behind it has %d octets, a chunk %d", n, chunkOctets)
	}
}

// FuzzFrame compares what is encoded with what a reader that knows only dnstap.proto decodes.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{192, 0, 2, 1}, uint16(53), int64(1e18), int64(2e18), []byte("wire"), []byte("\x00"), true)
	f.Add([]byte{}, uint16(0), int64(-1), int64(0), []byte{}, []byte{}, false)
	f.Fuzz(func(t *testing.T, addr []byte, port uint16, asked, answered int64, wire, zone []byte, response bool) {
		a, _ := netip.AddrFromSlice(addr)
		m := Message{Protocol: UDP, Client: netip.AddrPortFrom(a, port), Server: netip.AddrPortFrom(a, port),
			QueryTime: asked, ResponseTime: answered, Wire: wire, Zone: zone}
		kind := authQuery
		if response {
			kind = authResponse
		}
		if got, want := len(m.appendTo(nil, kind)), m.size(kind); got != want {
			t.Fatalf("encoded %d octets, announced %d", got, want)
		}
		got, err := decode(appendFrame(nil, nil, kind, &m)[4:])
		if err != nil {
			t.Fatal(err)
		}
		if got.Zone != string(zone) || got.Query+got.Response != string(wire) || a.IsValid() && got.QueryPort != uint64(port) {
			t.Fatalf("got %+v of %+v", got, m)
		}
	})
}
