package probe

import (
	"context"
	"net"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"

	"fairlead/config"
)

// snmpAgent answers every request for one object with a text.
func snmpAgent(t *testing.T, text string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-over })
	go func() {
		defer close(over)
		room := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(room)
			if err != nil {
				return
			}
			asked, err := ber.DecodePacketErr(room[:n])
			if err != nil || len(asked.Children) < 3 || len(asked.Children[2].Children) < 4 {
				t.Errorf("the request is malformed: %x", room[:n])
				continue
			}
			pdu := asked.Children[2].Children
			answer, response, list, one := ber.NewSequence(""), ber.Encode(ber.ClassContext, ber.TypeConstructed, 2, nil, ""), ber.NewSequence(""), ber.NewSequence("")
			one.AppendChild(pdu[3].Children[0].Children[0])
			one.AppendChild(octetString(text))
			list.AppendChild(one)
			for _, part := range append(pdu[:3:3], list) {
				response.AppendChild(part)
			}
			for _, part := range append(asked.Children[:2:2], response) {
				answer.AppendChild(part)
			}
			conn.WriteTo(answer.Bytes(), from)
		}
	}()
	return conn.LocalAddr().String()
}

// TestSNMPChecks: a value passes within its bounds, and what an agent repeats of its community is veiled before a reason is cut off.
func TestSNMPChecks(t *testing.T) {
	bound := func(v float64) *float64 { return &v }
	long := strings.Repeat("x", 36)
	for _, tt := range []struct {
		name, text string
		check      config.SNMPCheck
		reverse    bool
		ok         bool
		want       string
	}{
		{"equal", "up", config.SNMPCheck{Equals: "up"}, false, true, "1.3.6.1.4.1.7.1 is up"},
		{"not equal", "down", config.SNMPCheck{Equals: "up"}, false, false, `1.3.6.1.4.1.7.1 is "down", want "up"`},
		{"not equal, turned round", "down", config.SNMPCheck{Equals: "up"}, true, true, `1.3.6.1.4.1.7.1 is "down", want "up", which passes: reverse`},
		{"within", "7.5", config.SNMPCheck{Min: bound(7), Max: bound(8)}, false, true, "1.3.6.1.4.1.7.1 is 7.5"},
		{"below", "6.5", config.SNMPCheck{Min: bound(7), Max: bound(8)}, false, false, "1.3.6.1.4.1.7.1 is 6.5, below 7"},
		{"above", "8.5", config.SNMPCheck{Min: bound(7), Max: bound(8)}, false, false, "1.3.6.1.4.1.7.1 is 8.5, above 8"},
		{"no number", "high", config.SNMPCheck{Max: bound(8)}, false, false, `1.3.6.1.4.1.7.1 is "high", which is no number`},
		{"is the community", "community", config.SNMPCheck{Equals: "community"}, false, true, "1.3.6.1.4.1.7.1 is ***"},
		{"repeats the community", long + "community", config.SNMPCheck{Equals: "up"}, false, false, `1.3.6.1.4.1.7.1 is "` + long + `***", want "up"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.check.OID = "1.3.6.1.4.1.7.1"
			m := serviceMonitor(config.MonitorSNMP)
			m.Reverse = tt.reverse
			m.SNMP = &config.SNMP{Community: "env:COMMUNITY", Checks: []config.SNMPCheck{tt.check}}
			got := keyring(nil, "community").Probe(context.Background(), target("agent", snmpAgent(t, tt.text), m))
			if got.OK != tt.ok || got.Reason != tt.want {
				t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
			}
		})
	}
}
