package probe

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"fairlead/config"
)

// askSMTP says hello to a mail server (RFC 5321; LMTP: RFC 2033), and logs in when the monitor has a login. It sends no mail.
func (x *exchange) askSMTP() error { return spoken(x.talkSMTP()) }

func (x *exchange) talkSMTP() error {
	if err := x.mayTell(); err != nil {
		return err
	}
	s := config.SectionOf(x.monitor.SMTP)
	standard, standardTLS := uint16(25), uint16(465)
	if s.LMTP { // has no port of its own in TLS, and never port 25
		standard, standardTLS = 24, 24
	}
	l, err := x.openLines(standard, standardTLS)
	if err != nil {
		return err
	}
	if err := l.greeted(220); err != nil {
		return err
	}
	extensions, err := l.helloSMTP(s)
	if err != nil {
		return err
	}
	if x.monitor.Security == config.SecuritySTARTTLS {
		if _, err := l.ask("STARTTLS", "STARTTLS", 220); err != nil {
			return err
		}
		if err := l.startTLS(); err != nil {
			return err
		}
		if extensions, err = l.helloSMTP(s); err != nil { // RFC 3207 4.2: what was said before is forgotten
			return err
		}
	}
	x.passes("reply 250 to hello")
	if x.monitor.Login != nil {
		if err := l.loginSMTP(extensions); err != nil {
			return err
		}
	}
	l.quit("QUIT")
	return nil
}

// helloSMTP says hello and returns what extensions the server has, in upper case. Servers that know no EHLO get HELO where no extension is
// needed.
func (l *lines) helloSMTP(s *config.SMTPProbe) ([]string, error) {
	word, name := "EHLO", cmp.Or(s.Hello, "localhost")
	if s.LMTP {
		word = "LHLO"
	}
	plain := !s.LMTP && l.x.monitor.Security != config.SecuritySTARTTLS && l.x.monitor.Login == nil
	r, err := l.ask(word, word+" "+name, 250)
	if plain && err != nil && r.code >= 500 {
		r, err = l.ask("HELO", "HELO "+name, 250)
	}
	if err != nil {
		return nil, err
	}
	var extensions []string
	for _, line := range r.lines[1:] {
		if len(line) > 4 {
			extensions = append(extensions, strings.ToUpper(line[4:]))
		}
	}
	return extensions, nil
}

// loginSMTP logs in with AUTH PLAIN (RFC 4616), or LOGIN where the server has only that.
func (l *lines) loginSMTP(extensions []string) error {
	user, password, err := l.x.login()
	if err != nil {
		return err
	}
	ways := waysToLogin(extensions)
	encode := func(text string) string {
		encoded := base64.StdEncoding.EncodeToString([]byte(text))
		l.x.hide(encoded)
		return encoded
	}
	switch {
	case slices.Contains(ways, "PLAIN"):
		_, err = l.ask("AUTH", "AUTH PLAIN "+encode("\x00"+user+"\x00"+password), 235)
	case slices.Contains(ways, "LOGIN"):
		for _, step := range []struct {
			line string
			want int
		}{{"AUTH LOGIN", 334}, {encode(user), 334}, {encode(password), 235}} {
			if _, err = l.ask("AUTH", step.line, step.want); err != nil {
				return err
			}
		}
	default:
		return unlike("server offers no AUTH PLAIN or LOGIN")
	}
	if err == nil {
		l.x.passes("logged in")
	}
	return err
}

// waysToLogin are the words after AUTH; old servers write AUTH=.
func waysToLogin(extensions []string) []string {
	var ways []string
	for _, e := range extensions {
		if rest, ok := strings.CutPrefix(e, "AUTH"); ok && rest != "" && strings.ContainsRune(" =", rune(rest[0])) {
			ways = append(ways, strings.Fields(rest[1:])...)
		}
	}
	return ways
}
