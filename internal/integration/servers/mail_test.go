//go:build integration

package servers

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/internal/testkit/loopback"
)

// TestOpenSMTPD: smtp probes of OpenSMTPD. One runs on a machine: the path of its control socket is part of the program. It is asked in clear
// only: the TLS of Debian 12's does not work with any client.
func TestOpenSMTPD(t *testing.T) {
	t.Parallel()
	smtpd, dir := need(t, "smtpd")[0], t.TempDir()
	if os.Getuid() != 0 {
		t.Skip("needs root, to run smtpd")
	}
	port := loopback.Port(t)
	conf := file(t, dir, "smtpd.conf", fmt.Sprintf("listen on 127.0.0.1 port %d hostname mail.example.com\n"+
		"action \"nowhere\" relay host smtp://127.0.0.1:9\nmatch from any for any action \"nowhere\"\n", port))
	s := start(t, launch{dir: dir}, smtpd, "-d", "-f", conf)
	to := onLoopback(port)
	s.listening(to)
	passes(t, `{type: smtp}`, to, "reply 250 to hello")
	passes(t, `{type: smtp, smtp: {hello: probe.example.com}}`, to, "reply 250 to hello")
	fails(t, `{type: smtp, security: starttls}`, to, `to STARTTLS, want 220`)
	fails(t, `{type: smtp, login: {user: probe, password: "file:`+file(t, dir, "password", "x\n")+`"}}`, to, "server offers no AUTH PLAIN or LOGIN")
	fails(t, `{type: smtp, smtp: {lmtp: true}}`, to, `to LHLO, want 250`)
	if r := probing(t, `{type: smtp, drain_on: {status: ["220"]}}`, to); !r.OK || !r.Drain {
		t.Errorf("the greeting does not drain: %+v", r)
	}
	s.stop()
	fails(t, `{type: smtp}`, to, "tcp connect refused")
}

// TestDovecot: pop3 and imap probes of Dovecot, and smtp probes of its submission and LMTP services.
func TestDovecot(t *testing.T) {
	t.Parallel()
	dovecot, dir := need(t, "dovecot", "/usr/lib/dovecot/imap", "/usr/lib/dovecot/pop3", "/usr/lib/dovecot/submission", "/usr/lib/dovecot/lmtp")[0], t.TempDir()
	if os.Getuid() != 0 {
		t.Skip("needs root, to run dovecot")
	}
	cert, key := certificate(t, dir)
	ports := map[string]int{}
	var listeners strings.Builder
	for _, name := range []string{"imap", "imaps", "pop3", "pop3s", "submission", "submissions", "lmtp"} {
		ports[name] = loopback.Port(t)
	}
	for _, service := range []string{"imap", "pop3", "submission"} {
		fmt.Fprintf(&listeners, "service %[1]s-login {\n  chroot =\n  inet_listener %[1]s {\n    port = %[2]d\n  }\n  inet_listener %[1]ss {\n    port = %[3]d\n    ssl = yes\n  }\n}\n",
			service, ports[service], ports[service+"s"])
	}
	fmt.Fprintf(&listeners, "service lmtp {\n  inet_listener lmtp {\n    port = %d\n  }\n}\n", ports["lmtp"])
	for _, below := range []string{"run", "state", "mail"} { // the parts of dovecot run as several users
		open(t, filepath.Join(dir, below), 0o777)
	}
	conf := file(t, dir, "dovecot.conf", fmt.Sprintf(`base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = /dev/stderr
protocols = imap pop3 submission lmtp
hostname = mail.example.com
submission_relay_host = 127.0.0.1
submission_relay_port = %[5]d
submission_max_mail_size = 1M
listen = 127.0.0.1
ssl = yes
ssl_cert = <%[2]s
ssl_key = <%[3]s
disable_plaintext_auth = no
auth_failure_delay = 0
auth_mechanisms = plain login
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
mail_location = maildir:%[1]s/mail
passdb {
  driver = static
  args = user=probe password=correct
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=%[1]s/mail
}
%[4]s`, dir, cert, key, listeners.String(), relay(t).Port()))
	s := start(t, launch{dir: dir}, dovecot, "-F", "-c", conf)
	for _, port := range ports {
		s.listening(onLoopback(port))
	}
	tls := "tls: {ca_file: " + cert + "}"
	login := func(password string) string {
		return fmt.Sprintf(`login: {user: probe, password: "file:%s"}`, file(t, dir, "password", password+"\n"))
	}
	for kind, refused := range map[string]string{"imap": "NO ", "pop3": "-ERR"} {
		to, toTLS := onLoopback(ports[kind]), onLoopback(ports[kind+"s"])
		passes(t, fmt.Sprintf(`{type: %s}`, kind), to, "greeted")
		passes(t, fmt.Sprintf(`{type: %s, %s}`, kind, login("correct")), to, "logged in")
		fails(t, fmt.Sprintf(`{type: %s, %s}`, kind, login("wrong")), to, refused)
		passes(t, fmt.Sprintf(`{type: %s, security: starttls, %s, %s}`, kind, tls, login("correct")), to, "logged in")
		passes(t, fmt.Sprintf(`{type: %s, security: tls, %s, %s}`, kind, tls, login("correct")), toTLS, "logged in")
		fails(t, fmt.Sprintf(`{type: %s, security: starttls}`, kind), to, "self-signed certificate for 127.0.0.1")
		fails(t, fmt.Sprintf(`{type: %s, security: tls, timeout: 1s}`, kind), to, "answer is not TLS")
	}
	to, toTLS := onLoopback(ports["submission"]), onLoopback(ports["submissions"])
	passes(t, `{type: smtp}`, to, "reply 250 to hello")
	passes(t, fmt.Sprintf(`{type: smtp, %s}`, login("correct")), to, "logged in")
	fails(t, fmt.Sprintf(`{type: smtp, %s}`, login("wrong")), to, "535")
	passes(t, fmt.Sprintf(`{type: smtp, security: starttls, %s, %s}`, tls, login("correct")), to, "logged in")
	passes(t, fmt.Sprintf(`{type: smtp, security: tls, %s, %s}`, tls, login("correct")), toTLS, "logged in")
	fails(t, `{type: smtp, security: starttls}`, to, "self-signed certificate for 127.0.0.1")
	passes(t, `{type: smtp, smtp: {lmtp: true}}`, onLoopback(ports["lmtp"]), "reply 250 to hello")
	fails(t, `{type: smtp}`, onLoopback(ports["lmtp"]), "to HELO, want 250")
	s.stop()
	fails(t, `{type: imap}`, onLoopback(ports["imap"]), "tcp connect refused")
	fails(t, `{type: pop3}`, onLoopback(ports["pop3"]), "tcp connect refused")
}

// relay is a mail server that takes nothing: dovecot's submission service wants one behind it.
func relay(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	t.Cleanup(func() { l.Close(); served.Wait() })
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				fmt.Fprint(conn, "220 relay.example.com\r\n")
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					fmt.Fprint(conn, "250 relay.example.com\r\n")
				}
			})
		}
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}
