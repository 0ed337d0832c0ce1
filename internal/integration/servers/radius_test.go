//go:build integration

package servers

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"fairlead/internal/testkit/loopback"
)

// radiusd is a configuration of FreeRADIUS without anything that it does not need.
const radiusd = `prefix = /usr
libdir = /usr/lib/freeradius
logdir = DIR
run_dir = DIR
pidfile = DIR/pid
max_request_time = 5
cleanup_delay = 0
log {
	destination = stdout
}
security {
	status_server = yes
	reject_delay = 0
	max_attributes = 200
}
modules {
	pap {
	}
	always ok {
		rcode = ok
	}
}
client probes {
	ipaddr = 127.0.0.1
	secret = shared
	require_message_authenticator = yes
}
server default {
	listen {
		type = auth
		ipaddr = 127.0.0.1
		port = AUTH
	}
	listen {
		type = acct
		ipaddr = 127.0.0.1
		port = ACCT
	}
	authorize {
		update control {
			Cleartext-Password := "correct"
		}
		pap
		if (&NAS-Identifier == "fairlead") {
			update reply {
				Message-Authenticator := 0x00
			}
		}
		Autz-Type Status-Server {
			update reply {
				Message-Authenticator := 0x00
			}
			ok
		}
	}
	authenticate {
		pap
	}
	preacct {
		ok
	}
	accounting {
		ok
	}
}
`

// TestFreeRADIUS: radius probes of FreeRADIUS.
func TestFreeRADIUS(t *testing.T) {
	t.Parallel()
	freeradius, dir := need(t, "freeradius")[0], t.TempDir()
	auth, acct := loopback.Port(t), loopback.Port(t)
	file(t, dir, "radiusd.conf", strings.NewReplacer("DIR", dir, "AUTH", fmt.Sprint(auth), "ACCT", fmt.Sprint(acct)).Replace(radiusd))
	file(t, dir, "dictionary", "$INCLUDE /usr/share/freeradius/dictionary\n")
	s := start(t, launch{dir: dir}, freeradius, "-f", "-xx", "-l", "stdout", "-d", dir, "-D", dir)
	s.until("takes requests", func() error {
		if !strings.Contains(s.printed(), "Ready to process requests") {
			return fmt.Errorf("not ready")
		}
		return nil
	})
	secret := file(t, dir, "secret", "shared\n")
	login := func(password string) string {
		return fmt.Sprintf(`login: {user: probe, password: "file:%s"}`, file(t, dir, "password-"+password, password+"\n"))
	}
	probe := func(keys, section string) string {
		return fmt.Sprintf(`{type: radius, %sradius: {secret: "file:%s"%s}}`, keys, secret, section)
	}
	to, accounting := onLoopback(auth), onLoopback(acct)
	passes(t, probe(login("correct")+", ", ""), to, "Access-Accept")
	fails(t, probe(login("wrong")+", ", ""), to, "Access-Reject, want Access-Accept")
	passes(t, probe(login("wrong")+", ", ", expect: reject"), to, "Access-Reject")
	passes(t, probe(login("wrong")+", ", ", expect: any"), to, "Access-Reject")
	fails(t, probe(login("correct")+", ", ", expect: reject"), to, "Access-Accept, want Access-Reject")
	passes(t, probe(login(strings.Repeat("long", 10))+", ", ", expect: reject"), to, "Access-Reject")
	passes(t, probe("", ", mode: status"), to, "Access-Accept")
	passes(t, probe("", ", mode: status"), accounting, "Accounting-Response")
	passes(t, probe("", ", mode: accounting"), accounting, "Accounting-Response")
	// What servers before the updates against BlastRADIUS do by themselves.
	fails(t, probe(login("correct")+", ", ", nas_identifier: old"), to, "answer has no Message-Authenticator, so that it can be forged")
	stranger := fmt.Sprintf(`{type: radius, timeout: 500ms, radius: {mode: status, secret: "file:%s"}}`, file(t, dir, "other", "other\n"))
	fails(t, stranger, to, "timed out after 500ms") // FreeRADIUS answers no request whose signature is wrong
	passes(t, `{type: radius, target: {port: `+fmt.Sprint(auth)+`}, radius: {mode: status, secret: "file:`+secret+`"}}`, netip.AddrPortFrom(to.Addr(), 9), "Access-Accept")
	s.stop()
	fails(t, probe("", ", mode: status"), to, "udp port unreachable")
}
