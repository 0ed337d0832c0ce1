package probe

import (
	"fmt"
	"strings"

	"fairlead/config"
)

// askPOP3 reads the greeting of a mailbox server (RFC 1939), and logs in when the monitor has a login.
func (x *exchange) askPOP3() error { return spoken(x.talkPOP3()) }

func (x *exchange) talkPOP3() error {
	if err := x.mayTell(); err != nil {
		return err
	}
	l, err := x.openLines(110, 995)
	if err != nil {
		return err
	}
	if err := l.confirmed("the greeting"); err != nil {
		return err
	}
	if x.monitor.Security == config.SecuritySTARTTLS {
		if err := l.confirm("STLS", "STLS"); err != nil { // RFC 2595 section 4
			return err
		}
		if err := l.startTLS(); err != nil {
			return err
		}
	}
	x.passes("greeted")
	if x.monitor.Login != nil {
		user, password, err := x.login()
		if err != nil {
			return err
		}
		if err := l.confirm("USER", "USER "+user); err != nil {
			return err
		}
		if err := l.confirm("PASS", "PASS "+password); err != nil {
			return err
		}
		x.passes("logged in")
	}
	l.quit("QUIT")
	return nil
}

func (l *lines) confirm(word, line string) error {
	if err := l.command(word, line); err != nil {
		return err
	}
	return l.confirmed(word)
}

// confirmed reads an answer of one line, which must be +OK. to names what it answers.
func (l *lines) confirmed(to string) error {
	line, err := l.read()
	if err != nil {
		return err
	}
	l.x.step(to, line)
	switch word, _, _ := strings.Cut(line, " "); strings.ToUpper(word) {
	case "+OK":
		return nil
	case "-ERR":
		return unlike("%s to %s, want +OK", l.quote(line), to)
	}
	return fmt.Errorf("%s, %s, is neither +OK nor -ERR", l.quote(line), l.stage)
}
