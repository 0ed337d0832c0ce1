package source

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/snmp"
)

// agentOf is an agent that tells objects; all others are not there. It counts requests.
func agentOf(t *testing.T, objects map[string]gosnmp.SnmpPDU) (address string, asked *atomic.Int32) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = new(atomic.Int32)
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	go func() {
		defer close(ended)
		decoder := &gosnmp.GoSNMP{Version: gosnmp.Version2c}
		buf := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			p, err := decoder.SnmpDecodePacket(buf[:n])
			if err != nil {
				continue
			}
			asked.Add(1)
			p.PDUType = gosnmp.GetResponse
			for i, v := range p.Variables {
				told, ok := objects[strings.TrimPrefix(v.Name, ".")]
				if !ok {
					told.Type = gosnmp.NoSuchInstance
				}
				p.Variables[i] = gosnmp.SnmpPDU{Name: v.Name, Type: told.Type, Value: told.Value}
			}
			if out, err := p.MarshalMsg(); err == nil {
				conn.WriteTo(out, from)
			}
		}
	}()
	return conn.LocalAddr().String(), asked
}

func TestSNMPSource(t *testing.T) {
	gauge := func(n uint32) gosnmp.SnmpPDU { return gosnmp.SnmpPDU{Type: gosnmp.Gauge32, Value: n} }
	wide := func(n uint64) gosnmp.SnmpPDU { return gosnmp.SnmpPDU{Type: gosnmp.Counter64, Value: n} }
	narrow := func(n uint32) gosnmp.SnmpPDU { return gosnmp.SnmpPDU{Type: gosnmp.Counter32, Value: n} }
	text := func(s string) gosnmp.SnmpPDU { return gosnmp.SnmpPDU{Type: gosnmp.OctetString, Value: s} }
	at := snmp.Named
	objects := map[string]gosnmp.SnmpPDU{
		at(vsvrCurClntConns, "web"): gauge(18), at(vsvrTotalRequests, "web"): wide(100), at(vsvrTotalReqBytes, "web"): wide(1000), at(vsvrTotalRespBytes, "web"): wide(9000),
		at(vsvrTotalPktsRecvd, "web"): wide(10), at(vsvrTotalPktsSent, "web"): wide(20), at(vsvrCurServicesUp, "web"): gauge(3),
		at(f5ClientCurConns, "/Common/web"): gauge(5), at(f5ClientTotConns, "/Common/web"): wide(50), at(f5TotRequests, "/Common/web"): wide(500), at(f5ClientBytesIn, "/Common/web"): wide(1),
		at(f5ClientBytesOut, "/Common/web"): wide(2), at(f5ClientPktsIn, "/Common/web"): wide(3), at(f5ClientPktsOut, "/Common/web"): wide(4), at(f5ConnLimit, "/Common/web"): gauge(0),
		at(f5DefaultPool, "/Common/web"): text("/Common/p"), at(f5PoolActiveMembers, "/Common/p"): gauge(2),
		at(f5ClientCurConns, "/Common/dns"): gauge(1), at(f5ClientTotConns, "/Common/dns"): wide(77), at(f5ConnLimit, "/Common/dns"): gauge(900), at(f5DefaultPool, "/Common/dns"): text(""),
		"1.3.6.1": gauge(7), "1.3.6.2": narrow(8), "1.3.6.3": text("3.5"), "1.3.6.4": text("many"), "1.3.6.5": wide(1<<64 - 1), "1.3.6.6": {Type: gosnmp.Integer, Value: -1},
	}
	type numbers map[metric.Metric]float64
	tests := []struct {
		name   string
		src    config.LoadSource
		want   numbers
		narrow bool   // of bytes
		lacks  string // "" : nothing
		err    string
	}{
		{name: "netscaler", src: config.LoadSource{Preset: config.PresetNetScaler, Backend: "web"},
			want: numbers{metric.Active: 18, metric.RequestsTotal: 100, metric.BytesTotal: 10000, metric.PacketsTotal: 30, metric.Members: 3}},
		{name: "f5", src: config.LoadSource{Preset: config.PresetF5, Backend: "/Common/web"},
			want: numbers{metric.Active: 5, metric.RequestsTotal: 500, metric.BytesTotal: 3, metric.PacketsTotal: 7, metric.Members: 2}},
		{name: "f5 without requests and pool", src: config.LoadSource{Preset: config.PresetF5, Backend: "/Common/dns"},
			want: numbers{metric.Active: 1, metric.RequestsTotal: 77, metric.Capacity: 900}, lacks: "no such instance"},
		{name: "no such virtual server", src: config.LoadSource{Preset: config.PresetF5, Backend: "/Common/Web"}, err: `device has no virtual server "/Common/Web"`},
		{name: "fields", src: config.LoadSource{Fields: config.LoadFields{Active: "1.3.6.1", ResponseTimeMS: "1.3.6.3", BytesTotal: "1.3.6.2 + 1.3.6.1"}},
			want: numbers{metric.Active: 7, metric.ResponseTime: 0.0035, metric.BytesTotal: 15}, narrow: true},
		{name: "a wide counter past 2^53", src: config.LoadSource{Fields: config.LoadFields{BytesTotal: "1.3.6.5"}}, want: numbers{metric.BytesTotal: 1<<53 - 1}},
		{name: "what is no load", src: config.LoadSource{Fields: config.LoadFields{Active: "1.3.6.1", Members: "1.3.6.4"}}, want: numbers{metric.Active: 7}, lacks: `1.3.6.4 is "many", which is no number`},
		{name: "below zero", src: config.LoadSource{Fields: config.LoadFields{Active: "1.3.6.1", Members: "1.3.6.6"}}, want: numbers{metric.Active: 7}, lacks: "1.3.6.6 is -1"},
		{name: "nothing", src: config.LoadSource{Fields: config.LoadFields{Active: "1.3.7"}}, err: "1.3.7: no such instance"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address, _ := agentOf(t, objects)
			r := New(Options{Secret: func(config.Secret) (string, error) { return "public", nil }})
			defer r.Close()
			tt.src.Source, tt.src.URL, tt.src.SNMP = config.LoadSNMP, "snmp://"+address, &config.SNMP{Version: config.SNMPv2c, Community: "env:COMMUNITY"}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			got, err := r.Read(ctx, &Target{Service: "web", Source: tt.src})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want the error %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for m, want := range tt.want {
				if n, ok := got.Take(m); !ok || n != want {
					t.Errorf("%s is %v (told: %v), want %v", m, n, ok, want)
				}
			}
			if !got.Empty() || got.Narrow.Has(metric.BytesTotal) != tt.narrow {
				t.Errorf("besides: %+v", got)
			}
			if got.Lacks == nil && tt.lacks != "" || got.Lacks != nil && (tt.lacks == "" || !strings.Contains(got.Lacks.Error(), tt.lacks)) {
				t.Errorf("lacks %v, want %q", got.Lacks, tt.lacks)
			}
		})
	}
}

// TestSNMPAsksOnce: the objects of a read are asked for with one request, none twice.
func TestSNMPAsksOnce(t *testing.T) {
	address, asked := agentOf(t, map[string]gosnmp.SnmpPDU{"1.3.6.1": {Type: gosnmp.Integer, Value: 4}})
	r := New(Options{Secret: func(config.Secret) (string, error) { return "public", nil }})
	src := config.LoadSource{Source: config.LoadSNMP, URL: "snmp://" + address, SNMP: &config.SNMP{Community: "env:COMMUNITY"}, Fields: config.LoadFields{Active: "1.3.6.1 + 1.3.6.1"},
		Custom: []config.CustomMetric{{Name: "same", Path: "1.3.6.1"}, {Name: "gone", Path: "1.3.6.9"}, {Name: "metric", Metric: config.MetricActive}}}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got, err := r.Read(ctx, &Target{Source: src})
	if n, _ := got.Get(metric.Active); err != nil || n != 8 || asked.Load() != 1 || len(got.Parts) != 3 || got.Parts[0] != (Part{4, true}) || got.Parts[1].Told || got.Parts[2].Told {
		t.Errorf("%+v, %v, %d requests", got, err, asked.Load())
	}
}

func TestSNMPRefusals(t *testing.T) {
	r := New(Options{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("not reached") },
		Secret: func(config.Secret) (string, error) { return "", errors.New("no such secret") }})
	for url, want := range map[string]string{"http://192.0.2.1": "not of the form", "snmp://": "not of the form", "snmp://192.0.2.1": "not reached"} {
		_, err := r.Read(t.Context(), &Target{Source: config.LoadSource{Source: config.LoadSNMP, URL: url}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	r = New(Options{Secret: func(config.Secret) (string, error) { return "", errors.New("no such secret") }})
	_, err := r.Read(t.Context(), &Target{Source: config.LoadSource{Source: config.LoadSNMP, URL: "snmp://127.0.0.1:9", SNMP: &config.SNMP{Community: "env:X"}}})
	if err == nil || err.Error() != "snmp.community: no such secret" {
		t.Errorf("a secret that is gone: %v", err)
	}
}
