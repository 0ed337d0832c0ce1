package probe

import (
	"context"
	"errors"
	"net"
	"testing"

	"fairlead/config"
)

// TestStandardPorts: where a service without a port is probed, and what goes before.
func TestStandardPorts(t *testing.T) {
	dns := func(d config.DNSTransport) func(*config.Monitor) {
		return func(m *config.Monitor) {
			m.DNS = &config.DNSProbe{Name: ".", Type: "NS", Rcode: "NOERROR", Transport: d}
		}
	}
	secure := func(m *config.Monitor) { m.Security = config.SecurityTLS }
	tests := []struct {
		name   string
		kind   config.MonitorType
		change func(*config.Monitor)
		want   string
	}{
		{"http", config.MonitorHTTP, nil, "tcp 192.0.2.1:80"},
		{"https", config.MonitorHTTPS, nil, "tcp 192.0.2.1:443"},
		{"dns", config.MonitorDNS, dns(config.DNSOverUDP), "udp 192.0.2.1:53"},
		{"dns over tcp", config.MonitorDNS, dns(config.DNSOverTCP), "tcp 192.0.2.1:53"},
		{"dns over tls", config.MonitorDNS, dns(config.DNSOverTLS), "tcp 192.0.2.1:853"},
		{"smtp", config.MonitorSMTP, nil, "tcp 192.0.2.1:25"},
		{"smtp over tls", config.MonitorSMTP, secure, "tcp 192.0.2.1:465"},
		{"pop3", config.MonitorPOP3, nil, "tcp 192.0.2.1:110"},
		{"pop3 over tls", config.MonitorPOP3, secure, "tcp 192.0.2.1:995"},
		{"imap", config.MonitorIMAP, nil, "tcp 192.0.2.1:143"},
		{"imap over tls", config.MonitorIMAP, secure, "tcp 192.0.2.1:993"},
		{"ftp", config.MonitorFTP, nil, "tcp 192.0.2.1:21"},
		{"ftp over tls", config.MonitorFTP, secure, "tcp 192.0.2.1:990"},
		{"ldap", config.MonitorLDAP, nil, "tcp 192.0.2.1:389"},
		{"ldap over tls", config.MonitorLDAP, secure, "tcp 192.0.2.1:636"},
		{"ntp", config.MonitorNTP, nil, "udp 192.0.2.1:123"},
		{"mysql", config.MonitorMySQL, nil, "tcp 192.0.2.1:3306"},
		{"postgres", config.MonitorPostgres, nil, "tcp 192.0.2.1:5432"},
		{"redis", config.MonitorRedis, nil, "tcp 192.0.2.1:6379"},
		{"tcp has none", config.MonitorTCP, nil, ""},
		{"grpc has none", config.MonitorGRPC, nil, ""},
		{"tls has none", config.MonitorTLS, nil, ""},
		{"of the target", config.MonitorHTTPS, func(m *config.Monitor) { m.Target = &config.ProbeTarget{Port: 8443} }, "tcp 192.0.2.1:8443"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := serviceMonitor(tt.kind)
			if tt.change != nil {
				tt.change(&m)
			}
			got := ""
			r := over(func(_ context.Context, network, address string) (net.Conn, error) {
				got = network + " " + address
				return nil, errors.New("nobody is there")
			}).Probe(context.Background(), target("web", "192.0.2.1:0", m))
			if got != tt.want || r.OK {
				t.Errorf("dialed %q (%s), want %q", got, r.Reason, tt.want)
			}
		})
	}
}
