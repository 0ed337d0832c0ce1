package probe

import (
	"strconv"
	"strings"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// Who logs in at an FTP server when the monitor has no login (RFC 1635).
const (
	anonymousUser     = "anonymous"
	anonymousPassword = "fairlead@"
)

// askFTP logs in at a file server (RFC 959; TLS: RFC 4217), and looks for a file when the monitor names one (SIZE, RFC 3659). It opens no
// data connection.
func (x *exchange) askFTP() error { return spoken(x.talkFTP()) }

func (x *exchange) talkFTP() error {
	if err := x.mayTell(); err != nil {
		return err
	}
	l, err := x.openLines(21, 990)
	if err != nil {
		return err
	}
	if err := l.greeted(220); err != nil {
		return err
	}
	if x.monitor.Security == config.SecuritySTARTTLS {
		if _, err := l.ask("AUTH", "AUTH TLS", 234); err != nil {
			return err
		}
		if err := l.startTLS(); err != nil {
			return err
		}
	}
	if err := l.loginFTP(); err != nil {
		return err
	}
	x.passes("logged in")
	if s := config.SectionOf(x.monitor.FTP); s.File != "" {
		if err := l.sizeFTP(s.File); err != nil {
			return err
		}
	}
	l.quit("QUIT")
	return nil
}

func (l *lines) loginFTP() error {
	user, password := anonymousUser, anonymousPassword
	if l.x.monitor.Login != nil {
		var err error
		if user, password, err = l.x.login(); err != nil {
			return err
		}
	}
	r, err := l.ask("USER", "USER "+user, 331, 230)
	if err != nil || r.code == 230 { // 230: this user needs no password
		return err
	}
	_, err = l.ask("PASS", "PASS "+password, 230)
	return err
}

// sizeFTP asks how long the file is, in octets as they are sent: some servers tell no size of text.
func (l *lines) sizeFTP(file string) error {
	if _, err := l.ask("TYPE", "TYPE I", 200); err != nil {
		return err
	}
	r, err := l.ask("SIZE", "SIZE "+file, 213)
	if err != nil {
		return err
	}
	word := strings.TrimSpace(r.lines[0][3:])
	size, err := strconv.ParseUint(word, 10, 63)
	if err != nil {
		return unlike("reply %s to SIZE has no size", r)
	}
	l.x.value(Value{Name: "size", Value: float64(size), Unit: "B"})
	l.x.passes("%s has %d bytes", reason.Quote(file), size)
	return nil
}
