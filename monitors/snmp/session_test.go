package snmp

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosnmp/gosnmp"
	"go.uber.org/goleak"

	"fairlead/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// packets is a connection to an agent that answers each request with what answer makes of it; nil: nothing.
type packets struct {
	net.Conn
	answer func(request []byte) []byte
	out    chan []byte
}

func agent(t testing.TB, answer func([]byte) []byte) net.Conn {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	return &packets{Conn: near, answer: answer, out: make(chan []byte, 16)}
}

func (p *packets) Write(b []byte) (int, error) {
	if a := p.answer(append([]byte(nil), b...)); a != nil {
		select {
		case p.out <- a:
		default:
		}
	}
	return len(b), nil
}

func (p *packets) Read(b []byte) (int, error) {
	select {
	case a := <-p.out:
		return copy(b, a), nil
	default:
		return p.Conn.Read(b) // waits for the deadline: nobody writes there
	}
}

// reply answers a request of version 2c with variables.
func reply(t testing.TB, change func(*gosnmp.SnmpPacket), variables ...gosnmp.SnmpPDU) func([]byte) []byte {
	return func(request []byte) []byte {
		decoder := &gosnmp.GoSNMP{Version: gosnmp.Version2c}
		asked, err := decoder.SnmpDecodePacket(request)
		if err != nil {
			t.Errorf("the request is malformed: %v", err)
			return nil
		}
		p := &gosnmp.SnmpPacket{Version: gosnmp.Version2c, Community: asked.Community, PDUType: gosnmp.GetResponse, RequestID: asked.RequestID, Variables: variables}
		if change != nil {
			change(p)
		}
		out, err := p.MarshalMsg()
		if err != nil {
			t.Errorf("marshal: %v", err)
		}
		return out
	}
}

func noSecret(string, config.Secret) (string, error) { return "words of eight", nil }

func get(ctx context.Context, conn net.Conn, s config.SNMP, oids ...string) ([]Value, error) {
	session, err := Open(ctx, conn, &s, noSecret)
	if err != nil {
		return nil, err
	}
	return session.Get(oids)
}

func TestGet(t *testing.T) {
	const a, b = "1.3.6.1.2.1.1.3.0", "1.3.6.1.4.1.2021.10.1.3.1"
	pdu := func(oid string, kind gosnmp.Asn1BER, v any) gosnmp.SnmpPDU {
		return gosnmp.SnmpPDU{Name: oid, Type: kind, Value: v}
	}
	tests := []struct {
		name   string
		answer func([]byte) []byte
		want   []Value
		err    string
	}{
		{"a number and a text that is one", reply(t, nil, pdu(a, gosnmp.TimeTicks, uint32(4711)), pdu(b, gosnmp.OctetString, "0.35")),
			[]Value{{OID: a, Text: "4711", Number: 4711, Numeric: true, Whole: 4711}, {OID: b, Text: "0.35", Number: 0.35, Numeric: true}}, ""},
		{"counters", reply(t, nil, pdu(a, gosnmp.Counter32, uint32(1<<32-1)), pdu(b, gosnmp.Counter64, uint64(1<<63))),
			[]Value{{OID: a, Text: "4294967295", Number: 1<<32 - 1, Numeric: true, Whole: 1<<32 - 1, Counter32: true}, {OID: b, Text: "9223372036854775808", Number: 1 << 63, Numeric: true, Whole: 1 << 63}}, ""},
		{"a negative one and octets", reply(t, nil, pdu(a, gosnmp.Integer, -3), pdu(b, gosnmp.OctetString, "\xff\x00")),
			[]Value{{OID: a, Text: "-3", Number: -3, Numeric: true}, {OID: b, Text: "ff00"}}, ""},
		{"nothing there", reply(t, nil, pdu(a, gosnmp.NoSuchObject, nil), pdu(b, gosnmp.NoSuchInstance, nil)),
			[]Value{{OID: a, Missing: "no such object"}, {OID: b, Missing: "no such instance"}}, ""},
		{"an error", reply(t, func(p *gosnmp.SnmpPacket) { p.Error, p.ErrorIndex = gosnmp.GenErr, 2 }, pdu(a, gosnmp.Null, nil), pdu(b, gosnmp.Null, nil)), nil, "agent says genErr about " + b},
		{"an error about an object that was not asked for", reply(t, func(p *gosnmp.SnmpPacket) { p.Error, p.ErrorIndex = gosnmp.TooBig, 200 }), nil, "agent says tooBig"},
		{"too few", reply(t, nil, pdu(a, gosnmp.Integer, 1)), nil, ErrMalformed.Error()},
		{"others", reply(t, nil, pdu(b, gosnmp.Integer, 1), pdu(a, gosnmp.Integer, 1)), nil, ErrMalformed.Error()},
		{"not an answer", reply(t, func(p *gosnmp.SnmpPacket) { p.PDUType = gosnmp.SetRequest }, pdu(a, gosnmp.Integer, 1), pdu(b, gosnmp.Integer, 1)), nil, ErrMalformed.Error()},
		{"no SNMP", func([]byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n") }, nil, ErrMalformed.Error()},
		{"truncated", func(r []byte) []byte {
			return reply(t, nil, pdu(a, gosnmp.Integer, 1), pdu(b, gosnmp.Integer, 1))(r)[:20]
		}, nil, ErrMalformed.Error()},
		{"one octet", func([]byte) []byte { return []byte{0x30} }, nil, ErrMalformed.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			got, err := get(ctx, agent(t, tt.answer), config.SNMP{Version: config.SNMPv2c}, a, b)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "goroutine") {
					t.Fatalf("got %v, %v; want the error %q", got, err, tt.err)
				}
				return
			}
			if err != nil || len(got) != len(tt.want) {
				t.Fatalf("got %v, %v", got, err)
			}
			for i, want := range tt.want {
				if got[i] != want {
					t.Errorf("got %+v, want %+v", got[i], want)
				}
			}
		})
	}
}

func TestGetRefuses(t *testing.T) {
	for _, oids := range [][]string{nil, {"sysUpTime.0"}, {"1"}, {"1.3..6"}, {"3.1.1"}, {"1.3.4294967296"}, make([]string, MaxObjects+1)} {
		if got, err := get(t.Context(), agent(t, func([]byte) []byte { t.Error("asked"); return nil }), config.SNMP{}, oids...); err == nil {
			t.Errorf("%q: %v", oids, got)
		}
	}
	if _, err := get(t.Context(), nil, config.SNMP{Version: config.SNMPv3, User: "u", PrivacyPassword: "env:X"}, "1.3.6.1"); err == nil {
		t.Error("encryption without authentication")
	}
	fails := func(key string, _ config.Secret) (string, error) { return "", errors.New(key + ": gone") }
	if _, err := Open(t.Context(), nil, &config.SNMP{Community: "env:X"}, fails); err == nil || err.Error() != "community: gone" {
		t.Errorf("a secret that is gone: %v", err)
	}
}

// TestSilence: a request is sent twice until the deadline, and the agent's silence costs no more than that; so does another's answer.
func TestSilence(t *testing.T) {
	for name, v := range map[string]config.SNMPVersion{"2c": config.SNMPv2c, "3": config.SNMPv3} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				began := time.Now()
				_, err := get(ctx, agent(t, func([]byte) []byte { sent++; return nil }), config.SNMP{Version: v, User: "u"}, "1.3.6.1.2.1.1.3.0")
				if !errors.Is(err, context.DeadlineExceeded) || sent != tries || time.Since(began) != 2*time.Second {
					t.Errorf("%v after %v and %d requests, want a timeout after 2s and %d", err, time.Since(began), sent, tries)
				}
			})
		})
	}
	other := func(p *gosnmp.SnmpPacket) { p.RequestID++ }
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := get(ctx, agent(t, reply(t, other, gosnmp.SnmpPDU{Name: "1.3.6.1.2.1.1.3.0", Type: gosnmp.Integer, Value: 1})), config.SNMP{}, "1.3.6.1.2.1.1.3.0")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the answer to another request: %v", err)
	}
}

// TestCancelled: the end of the context ends a wait, also right after a deadline was set.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		conn := agent(t, func([]byte) []byte { return nil })
		stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if _, err := get(ctx, conn, config.SNMP{}, "1.3.6.1.2.1.1.3.0"); err == nil || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestNamed(t *testing.T) {
	if got := Named("1.3.6.1.4.1.5951.4.1.3.1.1.7", "web"); got != "1.3.6.1.4.1.5951.4.1.3.1.1.7.3.119.101.98" {
		t.Error(got)
	}
}

// FuzzAnswer: whatever an agent answers, there are values of what was asked for, or an error that says what is wrong.
func FuzzAnswer(f *testing.F) {
	pdu := gosnmp.SnmpPDU{Name: "1.3.6.1.2.1.1.3.0", Type: gosnmp.OctetString, Value: "1e3"}
	p := &gosnmp.SnmpPacket{Version: gosnmp.Version2c, Community: "x", PDUType: gosnmp.GetResponse, Variables: []gosnmp.SnmpPDU{pdu}}
	good, err := p.MarshalMsg()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, s := range []config.SNMP{{Version: config.SNMPv2c}, {Version: config.SNMPv3, User: "u"}, {Version: config.SNMPv3, User: "u", AuthPassword: "env:X", PrivacyPassword: "env:X"}} {
			conn := &canned{answer: answer}
			got, err := get(t.Context(), conn, s, "1.3.6.1.2.1.1.3.0")
			if err == nil && (len(got) != 1 || got[0].OID != "1.3.6.1.2.1.1.3.0" || len(got[0].Text) > 2*maxText) {
				t.Errorf("%+v", got)
			}
			if err != nil && (strings.Contains(err.Error(), "goroutine ") || len(err.Error()) > 4096) {
				t.Errorf("%v", err)
			}
		}
	})
}

// canned answers every request with the same octets, a few times.
type canned struct {
	net.Conn
	answer []byte
	said   int
}

func (c *canned) Write(b []byte) (int, error) { return len(b), nil }
func (c *canned) Close() error                { return nil }
func (c *canned) SetDeadline(time.Time) error { return nil }
func (c *canned) Read(b []byte) (int, error) {
	if c.said++; c.said > 8 {
		return 0, io.EOF
	}
	return copy(b, c.answer), nil
}
