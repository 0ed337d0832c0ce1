package snmp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/gosnmp/gosnmp"

	"fairlead/config"
)

// MaxObjects is how many objects one request may ask for.
const MaxObjects = 32

// Port is that of SNMP agents.
const Port = 161

// tries is how often a request is sent, at even distances until the deadline: a lost packet is no answer.
const tries = 2

// maxCommunity is the longest community: the library writes its length in one octet.
const maxCommunity = 127

// withoutDeadline is how long a request is waited for when the context has no deadline.
const withoutDeadline = 5 * time.Second

// Errors of Get.
var (
	// ErrRefused: the agent answered that it does not take the user, the passwords or the protocols.
	ErrRefused = errors.New("agent does not take the user, the passwords or their protocols")
	// ErrMalformed: what came is not an answer to the request.
	ErrMalformed = errors.New("answer is not a valid answer of SNMP")
)

// Status is an error that an agent answers (RFC 3416 section 3).
type Status struct {
	Word string // "genErr"
	OID  string // the object that it is about; may be empty
}

func (s *Status) Error() string {
	if s.OID == "" {
		return "agent says " + s.Word
	}
	return fmt.Sprintf("agent says %s about %s", s.Word, s.OID)
}

// SecretFunc reads a secret; key is its place in the section.
type SecretFunc func(key string, s config.Secret) (string, error)

// Session asks one agent over one connection. It belongs to one goroutine and starts none.
type Session struct {
	agent *gosnmp.GoSNMP
}

// Open makes a session over conn, a connected UDP socket that stays the caller's. What it does ends with ctx. An agent of version 3 is
// asked for its engine before the first Get.
func Open(ctx context.Context, conn net.Conn, s *config.SNMP, secret SecretFunc) (*Session, error) {
	wait := withoutDeadline
	if deadline, ok := ctx.Deadline(); ok {
		wait = max(time.Until(deadline), time.Millisecond)
	}
	agent := &gosnmp.GoSNMP{
		Context: ctx, Transport: "udp", Timeout: wait / tries, Retries: tries - 1, MaxOids: MaxObjects,
		// Connect is the library's only way to make its buffer, and opens a socket besides. This one is bound to nobody, sends
		// nothing, and is closed at once.
		UseUnconnectedUDPSocket: true,
	}
	var err error
	if s.Version == config.SNMPv3 {
		err = version3(agent, s, secret)
	} else {
		agent.Version = gosnmp.Version2c
		agent.Community, err = secret("community", s.Community)
	}
	if err != nil {
		return nil, err
	}
	if n := len(agent.Community); n > maxCommunity {
		return nil, fmt.Errorf("community of %d bytes; a request has room for %d", n, maxCommunity)
	}
	if err := agent.Connect(); err != nil {
		return nil, err
	}
	agent.Conn.Close()
	agent.Conn = &bounded{Conn: conn, ctx: ctx}
	return &Session{agent}, nil
}

// version3 sets what the user-based security model needs (RFC 3414).
func version3(agent *gosnmp.GoSNMP, s *config.SNMP, secret SecretFunc) error {
	usm := &gosnmp.UsmSecurityParameters{UserName: s.User, AuthenticationProtocol: gosnmp.NoAuth, PrivacyProtocol: gosnmp.NoPriv}
	flags := gosnmp.NoAuthNoPriv
	var err error
	if s.AuthPassword != "" {
		flags, usm.AuthenticationProtocol = gosnmp.AuthNoPriv, authProtocol(s.AuthProtocol)
		if usm.AuthenticationPassphrase, err = secret("auth_password", s.AuthPassword); err != nil {
			return err
		}
	}
	if s.PrivacyPassword != "" {
		if s.AuthPassword == "" {
			return errors.New("privacy_password needs auth_password")
		}
		flags, usm.PrivacyProtocol = gosnmp.AuthPriv, privacyProtocol(s.PrivacyProtocol)
		if usm.PrivacyPassphrase, err = secret("privacy_password", s.PrivacyPassword); err != nil {
			return err
		}
	}
	agent.Version, agent.SecurityModel, agent.MsgFlags = gosnmp.Version3, gosnmp.UserSecurityModel, flags
	agent.SecurityParameters, agent.ContextName = usm, s.Context
	return nil
}

func authProtocol(p config.SNMPAuth) gosnmp.SnmpV3AuthProtocol {
	switch p {
	case "md5":
		return gosnmp.MD5
	case "sha":
		return gosnmp.SHA
	case "sha224":
		return gosnmp.SHA224
	case "sha384":
		return gosnmp.SHA384
	case "sha512":
		return gosnmp.SHA512
	}
	return gosnmp.SHA256
}

func privacyProtocol(p config.SNMPPrivacy) gosnmp.SnmpV3PrivProtocol {
	switch p {
	case "des":
		return gosnmp.DES
	case "aes192":
		return gosnmp.AES192
	case "aes256":
		return gosnmp.AES256
	case "aes192c":
		return gosnmp.AES192C
	case "aes256c":
		return gosnmp.AES256C
	}
	return gosnmp.AES
}

// Get asks for objects, at most MaxObjects, and returns their values in the same order. The errors wrap ErrRefused, ErrMalformed, or are
// a *Status or those of the connection.
func (s *Session) Get(oids []string) ([]Value, error) {
	if len(oids) == 0 || len(oids) > MaxObjects {
		return nil, fmt.Errorf("%d objects in one request; it has 1 to %d", len(oids), MaxObjects)
	}
	names := make([]string, len(oids))
	for i, oid := range oids {
		var err error
		if names[i], err = canonical(oid); err != nil {
			return nil, err
		}
	}
	answer, err := s.agent.Get(names)
	if err != nil {
		return nil, s.explain(err)
	}
	if answer.Error != gosnmp.NoError {
		return nil, status(answer, oids)
	}
	if answer.PDUType != gosnmp.GetResponse || len(answer.Variables) != len(names) {
		return nil, ErrMalformed
	}
	out := make([]Value, len(names))
	for i := range out {
		v := &answer.Variables[i]
		if v.Name != names[i] {
			return nil, fmt.Errorf("%w: it tells %q, asked was %s", ErrMalformed, v.Name, oids[i])
		}
		if out[i], err = valueOf(oids[i], v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// explain says what an error of the library means.
func (s *Session) explain(err error) error {
	text := err.Error()
	switch {
	case s.agent.Context.Err() != nil:
		return s.agent.Context.Err()
	case errors.Is(err, gosnmp.ErrMaxRetriesExceeded):
		return context.DeadlineExceeded
	case errors.As(err, new(net.Error)), errors.As(err, new(*net.OpError)):
		return err
	case errors.Is(err, gosnmp.ErrUnknownUsername), errors.Is(err, gosnmp.ErrWrongDigest), errors.Is(err, gosnmp.ErrDecryption),
		errors.Is(err, gosnmp.ErrUnknownSecurityLevel), errors.Is(err, gosnmp.ErrUnknownSecurityModels),
		strings.Contains(text, "not authentic"): // a report about them cannot be authenticated
		return ErrRefused
	case strings.HasPrefix(text, "recover: "), strings.Contains(text, "pars"), strings.Contains(text, "unmarshal"):
		return ErrMalformed
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}

// status is the error that an answer tells.
func status(answer *gosnmp.SnmpPacket, oids []string) error {
	word := answer.Error.String()
	out := &Status{Word: strings.ToLower(word[:1]) + word[1:]}
	if i := int(answer.ErrorIndex); i >= 1 && i <= len(oids) {
		out.OID = oids[i-1]
	}
	return out
}

// bounded is a connection whose deadlines never outlive a context, and that gives only answers to what was sent. It is not a net.PacketConn, so that it is read and written as the
// connected socket that it is.
type bounded struct {
	net.Conn
	ctx   context.Context
	asked []heading // of the last requests
}

func (b *bounded) SetDeadline(t time.Time) error {
	err := b.Conn.SetDeadline(t)
	if b.ctx.Err() != nil { // it ended before or meanwhile
		return b.Conn.SetDeadline(time.Unix(1, 0))
	}
	return err
}
