package adns

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"fairlead/adns/transfer"

	"github.com/miekg/dns"
)

// TestTransferOverSockets is row 93 and 100: TCP and TLS transfer a zone to who may have it, under one rule, and to nobody
// else.
func TestTransferOverSockets(t *testing.T) {
	doc, plan := parsed(t, strings.Replace(transferDocument, "192.0.2.0/24", "127.0.0.0/8", 1))
	zones, err := CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	transfers := transfer.New(transfer.Options{})
	transfers.Published(doc, TransferSource(zones, doc))
	s, roots := startSecure(t, func(o *Options) {
		o.Transfers = transfers
		o.Snapshot = func() *Snapshot { return &Snapshot{Zones: zones} }
	})
	for name, dial := range map[string]func() (net.Conn, error){
		"tcp": func() (net.Conn, error) { return dialPlain(t, s), nil },
		"tls": func() (net.Conn, error) {
			return dialTLS(t, s, &tls.Config{RootCAs: roots, NextProtos: []string{"dot"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := func(zone string) (records int, err error) {
				conn, err := dial()
				if err != nil {
					return 0, err
				}
				defer conn.Close()
				tr := &dns.Transfer{Conn: &dns.Conn{Conn: conn}, ReadTimeout: deadline, WriteTimeout: deadline}
				messages, err := tr.In(new(dns.Msg).SetAxfr(zone), "")
				if err != nil {
					return 0, err
				}
				for m := range messages {
					if m.Error != nil {
						return records, m.Error
					}
					records += len(m.RR)
				}
				return records, nil
			}
			if n, err := in("closed.test."); err == nil || !strings.Contains(err.Error(), "bad xfr rcode: 5") {
				t.Errorf("a zone that nobody may have: %d records, %v", n, err)
			}
			if n, err := in("out.test."); err != nil || n != 12 {
				t.Errorf("a zone that we may have: %d records, %v; want 12", n, err)
			}
		})
	}
}
