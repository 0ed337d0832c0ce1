package probe

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	"fairlead/config"
)

// radiusRepeat is after how long a request is sent once more; half the timeout when that is shorter.
const radiusRepeat = time.Second

// maxRADIUSPassword is the longest User-Password (RFC 2865 5.2).
const maxRADIUSPassword = 128

// askRADIUS sends one request to a RADIUS server, and believes only an answer that its secret has signed.
func (x *exchange) askRADIUS() error {
	s := config.SectionOf(x.monitor.RADIUS)
	secret, err := x.secret("radius.secret", s.Secret)
	if err != nil {
		return err
	}
	if secret == "" {
		return errors.New("radius.secret is empty: a server and its clients share one")
	}
	request, err := x.radiusRequest(s, secret)
	if err != nil {
		return err
	}
	standard := uint16(1812)
	if s.Mode == config.RADIUSAccounting {
		standard = 1813
	}
	conn, err := x.dial("udp", standard)
	if err != nil {
		return err
	}
	return x.converseRADIUS(conn, s, request, secret)
}

func (x *exchange) converseRADIUS(conn net.Conn, s *config.RADIUSProbe, request []byte, secret string) error {
	again := min(radiusRepeat, time.Until(x.deadline)/2)
	return x.datagrams(conn, request, again, func(packet []byte) (bool, error) {
		a, err := parseRADIUS(packet)
		if err != nil {
			return false, err
		}
		if a.id() != request[1] {
			return false, fmt.Errorf("packet %w", errNotOurs)
		}
		if err := a.signed([16]byte(request[4:]), secret); err != nil {
			return false, err
		}
		x.answered()
		if err := a.unforged([16]byte(request[4:]), secret); err != nil || x.text(a.raw) {
			return true, err
		}
		return true, x.judgeRADIUS(s, a.code())
	})
}

// radiusRequest builds the request. Message-Authenticator comes first, so that nothing that somebody else can choose is before it.
func (x *exchange) radiusRequest(s *config.RADIUSProbe, secret string) ([]byte, error) {
	user, password, err := x.login()
	if err != nil {
		return nil, err
	}
	p := radiusWriter{raw: make([]byte, radiusHeaderBytes, 512)}
	rand.Read(p.raw[1:])
	name := cmp.Or(s.NASIdentifier, userAgent)
	switch s.Mode {
	case config.RADIUSStatus: // RFC 5997
		p.start(radiusStatusServer)
		p.reserveAuthenticator()
		p.attribute(radiusNASIdentifier, []byte(name))
	case config.RADIUSAccounting: // RFC 2866; its Request Authenticator is what signs it
		p.start(radiusAccountingRequest)
		p.attribute(radiusAcctStatusType, []byte{0, 0, 0, 1})
		p.attribute(radiusAcctSessionID, []byte("fairlead-"+x.monitor.Name+"-"+x.target.Service))
		if user != "" {
			p.attribute(radiusUserName, []byte(user))
		}
		p.attribute(radiusNASIdentifier, []byte(name))
	default:
		if user == "" {
			return nil, errors.New("an Access-Request needs login.user")
		}
		if len(password) > maxRADIUSPassword {
			return nil, fmt.Errorf("password of %d bytes; RADIUS has at most %d", len(password), maxRADIUSPassword)
		}
		p.start(radiusAccessRequest)
		p.reserveAuthenticator()
		p.attribute(radiusUserName, []byte(user))
		p.attribute(radiusUserPassword, hidePassword(password, secret, [16]byte(p.raw[4:])))
		p.attribute(radiusNASIdentifier, []byte(name))
	}
	return p.sign(secret), nil
}

// judgeRADIUS goes by the kind of answer to a request.
func (x *exchange) judgeRADIUS(s *config.RADIUSProbe, code byte) error {
	name := radiusCodes[code]
	if name == "" {
		name = fmt.Sprintf("code %d", code)
	}
	want := ""
	switch {
	case s.Mode == config.RADIUSStatus:
		if code != radiusAccessAccept && code != radiusAccountingResponse {
			want = "Access-Accept or Accounting-Response"
		}
	case s.Mode == config.RADIUSAccounting:
		if code != radiusAccountingResponse {
			want = "Accounting-Response"
		}
	case code != radiusAccessAccept && code != radiusAccessReject && code != radiusAccessChallenge:
		want = "an answer to Access-Request"
	case s.Expect == config.RADIUSReject && code != radiusAccessReject:
		want = "Access-Reject"
	case s.Expect != config.RADIUSReject && s.Expect != config.RADIUSAny && code != radiusAccessAccept:
		want = "Access-Accept"
	}
	if want != "" {
		return unlike("%s, want %s", name, want)
	}
	x.passes("%s", name)
	return nil
}
