package snmp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosnmp/gosnmp"

	"fairlead/config"
)

// TestAnswersToSomethingElse: what was not asked for decides nothing, whatever it says.
func TestAnswersToSomethingElse(t *testing.T) {
	const oid = "1.3.6.1.2.1.1.3.0"
	value := gosnmp.SnmpPDU{Name: oid, Type: gosnmp.Integer, Value: 1}
	right := reply(t, nil, value)
	for name, forge := range map[string]func(*gosnmp.SnmpPacket){
		"request 0":         func(p *gosnmp.SnmpPacket) { p.RequestID = 0 },
		"another request":   func(p *gosnmp.SnmpPacket) { p.RequestID++ },
		"another community": func(p *gosnmp.SnmpPacket) { p.Community = "forged" },
		"another version":   func(p *gosnmp.SnmpPacket) { p.Version = gosnmp.Version1 },
	} {
		forged := reply(t, forge, gosnmp.SnmpPDU{Name: oid, Type: gosnmp.Integer, Value: 2})
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if got, err := get(ctx, agent(t, forged), config.SNMP{}, oid); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("alone: %+v, %v, want a timeout", got, err)
				}
				conn := agent(t, right).(*packets)
				conn.answer = func(request []byte) []byte {
					conn.out <- forged(request)
					return right(request)
				}
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if got, err := get(ctx, conn, config.SNMP{}, oid); err != nil || got[0].Number != 1 {
					t.Errorf("before the right one: %+v, %v", got, err)
				}
			})
		})
	}
	flood := &canned{}
	packet := &gosnmp.SnmpPacket{Version: gosnmp.Version2c, PDUType: gosnmp.GetResponse, Variables: []gosnmp.SnmpPDU{value}}
	var err error
	if flood.answer, err = packet.MarshalMsg(); err != nil {
		t.Fatal(err)
	}
	flood.said = -10 * maxPassedOver
	if _, err := get(t.Context(), flood, config.SNMP{}, oid); err == nil || !strings.Contains(err.Error(), "64 answers, none to this request") {
		t.Errorf("endless: %v", err)
	}
}

// TestAnswersOfVersion3 are known by the identifier of the message.
func TestAnswersOfVersion3(t *testing.T) {
	message := func(id uint32) []byte {
		usm := &gosnmp.UsmSecurityParameters{AuthoritativeEngineID: "engine"}
		p := &gosnmp.SnmpPacket{Version: gosnmp.Version3, SecurityModel: gosnmp.UserSecurityModel, SecurityParameters: usm, PDUType: gosnmp.Report, MsgID: id, MsgMaxSize: 1400,
			ContextEngineID: "engine", Variables: []gosnmp.SnmpPDU{{Name: ".1.3.6.1.6.3.15.1.1.3.0", Type: gosnmp.Counter32, Value: uint32(1)}}}
		out, err := p.MarshalMsg()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, tt := range []struct {
		name  string
		other int64
		want  error
	}{{"ours", 0, ErrRefused}, {"another", 1, context.DeadlineExceeded}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			conn := agent(t, func(request []byte) []byte {
				h, ok := headingOf(request)
				if !ok || h.version != 3 {
					t.Errorf("request %x has heading %+v, %v", request, h, ok)
				}
				return message(uint32(h.id + tt.other))
			})
			if _, err := get(ctx, conn, config.SNMP{Version: config.SNMPv3, User: "probe"}, "1.3.6.1.2.1.1.3.0"); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		})
	}
}

func TestCommunityThatHasNoRoom(t *testing.T) {
	long := func(string, config.Secret) (string, error) { return strings.Repeat("x", maxCommunity+1), nil }
	if _, err := Open(t.Context(), &canned{}, &config.SNMP{Community: "env:X"}, long); err == nil || err.Error() != "community of 128 bytes; a request has room for 127" {
		t.Errorf("%v", err)
	}
}

func FuzzHeading(f *testing.F) {
	f.Add([]byte{0x30, 0x0d, 2, 1, 1, 4, 1, 'x', 0xa2, 5, 2, 1, 7, 2, 0})
	f.Add([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff})
	f.Add([]byte{0x30, 8, 2, 1, 3, 0x30, 3, 2, 1, 7})
	f.Fuzz(func(t *testing.T, message []byte) {
		if h, ok := headingOf(message); ok && (h.id >= 1<<40 || len(h.community) > len(message)) {
			t.Errorf("%x: %+v", message, h)
		}
	})
}
