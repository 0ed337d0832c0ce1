package dnstap

import (
	"bytes"
	"encoding/hex"
	"io"
	"strings"
	"testing"
)

// TestControlFrames holds the octets that other implementations expect.
func TestControlFrames(t *testing.T) {
	const contentType = "00000001" + "00000016" + "70726f746f6275663a646e737461702e446e73746170"
	for _, c := range []struct {
		kind controlType
		want string
	}{
		{controlReady, "00000000" + "00000022" + "00000004" + contentType},
		{controlAccept, "00000000" + "00000022" + "00000001" + contentType},
		{controlStart, "00000000" + "00000022" + "00000002" + contentType},
		{controlStop, "00000000" + "00000004" + "00000003"},
		{controlFinish, "00000000" + "00000004" + "00000005"},
	} {
		t.Run(c.kind.String(), func(t *testing.T) {
			frame := appendControl(nil, c.kind)
			if got := hex.EncodeToString(frame); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			got, err := readControl(bytes.NewReader(frame))
			if err != nil || got.kind != c.kind || !got.takes() {
				t.Errorf("read again: %+v, %v", got, err)
			}
		})
	}
}

// conversation answers a handshake with fixed octets.
type conversation struct {
	io.Reader
	sent bytes.Buffer
}

func (c *conversation) Write(b []byte) (int, error) { return c.sent.Write(b) }

func TestHandshake(t *testing.T) {
	accept := func(types ...string) string {
		body := "\x00\x00\x00\x01"
		for _, s := range types {
			body += "\x00\x00\x00\x01\x00\x00\x00" + string(rune(len(s))) + s
		}
		return "\x00\x00\x00\x00\x00\x00\x00" + string(rune(len(body))) + body
	}
	for _, c := range []struct {
		name, answer, want string
	}{
		{"accepted", accept(ContentType), ""},
		{"one of several", accept("text/plain", ContentType), ""},
		{"anything is taken", accept(), ""},
		{"another type", accept("text/plain"), `does not take protobuf:dnstap.Dnstap but ["text/plain"]`},
		{"nobody there", "", "wait for ACCEPT: EOF"},
		{"FINISH", "\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x05", "wait for ACCEPT: got FINISH"},
		{"unknown", "\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x63", "got control frame of type 99"},
		{"another protocol", "HTTP/1.1 400 Bad Request\r\n", "is this a Frame Streams collector?"},
		{"too short", "\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x01", "a control frame of 3 octets"},
		{"too long", "\x00\x00\x00\x00\x00\x00\x02\x01", "a control frame of 513 octets"},
		{"cut", accept(ContentType)[:20], "unexpected EOF"},
		{"cut field", "\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x01\x00\x00", "ACCEPT with a cut field"},
		{"field that is too long", "\x00\x00\x00\x00\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff", "a field of 4294967295 octets where 0 are left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rw := &conversation{Reader: strings.NewReader(c.answer)}
			err := handshake(rw)
			sent := rw.sent.String()
			if c.want == "" {
				if want := string(appendControl(appendControl(nil, controlReady), controlStart)); err != nil || sent != want {
					t.Errorf("got %v after %x, want READY and START: %x", err, sent, want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if want := string(appendControl(nil, controlReady)); sent != want {
				t.Errorf("sent %x, want READY only: %x", sent, want)
			}
		})
	}
}

func FuzzReadControl(f *testing.F) {
	for _, c := range []controlType{controlAccept, controlStart, controlStop, controlReady, controlFinish} {
		f.Add(appendControl(nil, c))
	}
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		c, err := readControl(r)
		if err != nil {
			return
		}
		octets := 0
		for _, s := range c.types {
			octets += len(s)
		}
		if read := len(b) - r.Len(); octets > read || read > maxControlOctets+2*frameLengthOctets {
			t.Errorf("%d octets of content types from %d octets read", octets, read)
		}
	})
}
