package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"fairlead/config"
)

// mysql8 logs in whoever has the password "secret", the full way of caching_sha2_password: the password itself, within TLS.
func mysql8(conn net.Conn, cert tls.Certificate) error {
	read := func(c net.Conn) (string, error) {
		var head [4]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return "", err
		}
		body := make([]byte, int(head[0])|int(head[1])<<8)
		_, err := io.ReadFull(c, body)
		return string(body), err
	}
	io.WriteString(conn, mysqlPacket(0, mysqlHello("8.4.2", mysqlCaching, mysqlCan|mysqlTLS)))
	if request, err := read(conn); err != nil || len(request) != 32 {
		return errors.New("no request for TLS")
	}
	secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
	if hello, err := read(secure); err != nil || !strings.Contains(hello, "probe\x00") || strings.Contains(hello, "secret") {
		return errors.New("no login within TLS")
	}
	io.WriteString(secure, mysqlPacket(3, "\x01\x04"))
	password, err := read(secure)
	if err != nil || password != "secret\x00" {
		io.WriteString(secure, mysqlPacket(5, "\xFF\x15\x04#28000Access denied"))
		return nil
	}
	io.WriteString(secure, mysqlPacket(5, mysqlDone))
	if quit, err := read(secure); err != nil || quit != "\x01" {
		return errors.New("the session is not ended in order")
	}
	return nil
}

func TestMySQLWithinTLS(t *testing.T) {
	ca := newAuthority(t, "databases")
	cert := ca.issue(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "db.example.com")
	for password, want := range map[string]string{"secret": "logged in to MySQL 8.4.2", "wrong": "server says 1045: Access denied"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() {
			conn, err := l.Accept()
			if err == nil {
				err = mysql8(conn, cert)
				conn.Close()
			}
			served <- err
		}()
		m := serviceMonitor(config.MonitorMySQL)
		m.Login, m.Security, m.TLS = somebody, config.SecurityTLS, config.TLSProbe{Verify: true, CAFile: ca.file(t), ServerName: "db.example.com"}
		got := keyring(nil, password).Probe(context.Background(), target("db", l.Addr().String(), m))
		if got.OK != (password == "secret") || got.Reason != want {
			t.Errorf("%s: %v %q, want %q", password, got.OK, got.Reason, want)
		}
		l.Close()
		if err := <-served; err != nil {
			t.Errorf("%s: the server saw: %v", password, err)
		}
	}
}
