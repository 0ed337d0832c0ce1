package source

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"fairlead/config"
)

// lines makes table lines of a text.
func lines(text string) *tableLines {
	return newTableLines(context.Background(), strings.NewReader(text))
}

func TestIPVS(t *testing.T) {
	tests := []struct{ proc, backend, want string }{
		{"proc", "tcp 192.0.2.80:443", "active 765, members 3, member_weight 100, lacks: bytes and packets of one of 5 virtual services are not told"},
		{"proc", "tcp 192.0.2.81:5432", "active 164, members 2, member_weight 20, lacks: bytes and packets of one of 5 virtual services are not told"},
		{"proc", "udp 192.0.2.80:443", "active 0, members 1, member_weight 1, lacks: bytes and packets of one of 5 virtual services are not told"},
		{"proc", "tcp [2001:db8::80]:80", "active 23, members 2, member_weight 10, lacks: bytes and packets of one of 5 virtual services are not told"},
		{"proc", "fwmark 42", "active 2, members 0, member_weight 0, lacks: bytes and packets of one of 5 virtual services are not told"},
		{"proc", "udp 192.0.2.81:5432", `error: no virtual service "udp 192.0.2.81:5432" among the 5 that there are`},
		{"proc", "tcp 192.0.2.80:80", `error: no virtual service "tcp 192.0.2.80:80" among the 5 that there are`},
		{"proc-single", "tcp 192.0.2.80:443", "active 765, members 3, member_weight 100, requests_total 1234567, bytes_total 6599999999999, packets_total 4098765432"},
		{"nowhere", "tcp 192.0.2.80:443", "error: this machine has no IPVS: load the module ip_vs (open testdata/nowhere/net/ip_vs: no such file or directory)"},
	}
	for _, tt := range tests {
		t.Run(tt.proc+" "+tt.backend, func(t *testing.T) {
			r := New(Options{Proc: "testdata/" + tt.proc})
			defer r.Close()
			got, err := r.Read(t.Context(), &Target{Service: "web", Source: config.LoadSource{Source: config.LoadIPVS, Backend: tt.backend}})
			text := shown(&got)
			if err != nil {
				text = "error: " + err.Error()
			}
			if text != tt.want {
				t.Errorf("got  %s\nwant %s", text, tt.want)
			}
		})
	}
}

// TestIPVSUDP: connections of UDP have no state, and all are counted as inactive.
func TestIPVSUDP(t *testing.T) {
	const table = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
UDP  C0000250:0035 rr ops
  -> C0000201:0035      Masq    1      0          7
  -> C0000202:0035      Masq    1      1          5
`
	of, err := config.ParseIPVSService("udp 192.0.2.80:53")
	if err != nil {
		t.Fatal(err)
	}
	got, err := readIPVS(lines(table), &of)
	if want := (ipvsTable{services: 1, found: true, active: 13, members: 2, weight: 2}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestHost(t *testing.T) {
	tests := []struct {
		name, backend, device, want string
		addresses                   []string
		port                        uint16
	}{
		{"every address", ":38081", "eth0", "active 3, bytes_total 1550000333, packets_total 1530003", nil, 0},
		{"IPv4 at a listener for both", "127.0.0.1:38081", "eth0", "active 1, bytes_total 1550000333, packets_total 1530003", nil, 0},
		{"IPv6", "[::1]:38081", "eth0", "active 2, bytes_total 1550000333, packets_total 1530003", nil, 0},
		{"the unspecified address", "[::]:38081", "eth0", "active 3, bytes_total 1550000333, packets_total 1530003", nil, 0},
		{"another listener", "127.0.0.1:38082", "eth0", "active 1, bytes_total 1550000333, packets_total 1530003", nil, 0},
		{"nobody", "192.0.2.1:38082", "eth0", "active 0, bytes_total 1550000333, packets_total 1530003", nil, 0},
		{"all interfaces but loopback", ":38081", "", "active 3, bytes_total 1550007333, packets_total 1530073", nil, 0},
		{"loopback by its name", ":38081", "lo", "active 3, bytes_total 140002468, packets_total 102000", nil, 0},
		{"no such interface", ":38081", "eth1", `active 3, lacks: read testdata/proc/net/dev: there is no interface "eth1"`, nil, 0},
		{"the service's address and port", "", "eth0", "active 2, bytes_total 1550000333, packets_total 1530003", []string{"192.0.2.1", "::1"}, 38081},
		{"a service without port", "", "eth0", "error: no connections to count: set backend, or address and port of the service", []string{"192.0.2.1"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := New(Options{Proc: "testdata/proc"})
			defer r.Close()
			target := &Target{Service: "web", Port: tt.port, Source: config.LoadSource{Source: config.LoadHost, Backend: tt.backend, Interface: tt.device}}
			for _, a := range tt.addresses {
				target.Addresses = append(target.Addresses, netip.MustParseAddr(a))
			}
			got, err := r.Read(t.Context(), target)
			text := shown(&got)
			if err != nil {
				text = "error: " + err.Error()
			}
			if text != tt.want {
				t.Errorf("got  %s\nwant %s", text, tt.want)
			}
		})
	}
}

// TestTablesEnd: a table that does not end costs no more than the time that there is, and a line without end is an error.
func TestTablesEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	endless := newTableLines(ctx, strings.NewReader(strings.Repeat("TCP  C0000250:01BB wlc\n", 10*linesPerLook)))
	if _, err := readIPVS(endless, &config.IPVSService{Protocol: "tcp"}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the time: %v", err)
	}
	if _, err := readIPVS(lines(strings.Repeat("x", 2*maxTableLine)), &config.IPVSService{Protocol: "tcp"}); err == nil || err.Error() != "line 1: bufio.Scanner: token too long" {
		t.Errorf("a long line: %v", err)
	}
}

func FuzzKernelTables(f *testing.F) {
	f.Add("TCP  C0000250:01BB wlc\n  -> C633640B:20FB      Masq    40     312        57\nFWM  0000002A wlc\n")
	f.Add("   0: 0100007F:94C2 0100007F:8F9A 01 00000000:00000000 00:00000000 00000000\n")
	f.Add("  eth0: 910000111  820001    0   17    0     0          0         0 640000222  710002    0    0    0     0       0          0\n")
	f.Add("  12D687  5E30A78 EE6B2800        D38E79E79      5F3777E5686\n")
	f.Fuzz(func(t *testing.T, text string) {
		of := config.IPVSService{Protocol: "tcp", Address: netip.MustParseAddrPort("192.0.2.80:443")}
		if table, err := readIPVS(lines(text), &of); err == nil && (table.active < 0 || table.members > float64(strings.Count(text, "\n")+1)) {
			t.Errorf("the table says %+v", table)
		}
		if n, err := countEstablished(lines(text), &localEnd{port: 38082}); n < 0 || err == nil && n > strings.Count(text, "\n")+1 {
			t.Errorf("%d connections", n)
		}
		if bytes, _, err := readDevices(lines(text), ""); err == nil && bytes < 0 {
			t.Errorf("%v bytes", bytes)
		}
		var out Reading
		if err := readIPVSStats(lines(text), &out); err == nil {
			if err := out.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
