package probe

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// What a server may ask for (AuthenticationRequest).
const (
	postgresLoggedIn  = 0
	postgresClear     = 3
	postgresMD5       = 5
	postgresSASL      = 10
	postgresSASLMore  = 11
	postgresSASLFinal = 12
)

// login answers what the server asks for, until it waits for a query.
func (g *postgresTalk) login(password string) error {
	var s *scram
	authentic := false
	for {
		kind, body, err := g.receive(loggingIn)
		switch {
		case err != nil:
			return err
		case kind == 'E':
			return g.failure(body)
		case kind == 'Z' && authentic:
			return nil
		case kind == 'v': // wants another minor version of the protocol
			continue
		case kind != 'R' || authentic || len(body) < 4:
			return reason.During(loggingIn, errMalformed)
		}
		wants, data := binary.BigEndian.Uint32(body), body[4:]
		var answer []byte
		switch wants {
		case postgresLoggedIn:
			if s != nil && !s.proven {
				return errors.New("server did not prove that it knows the password")
			}
			authentic = true
			continue
		case postgresSASL:
			if s != nil { // each time, a proof is reckoned
				return reason.During(loggingIn, errMalformed)
			}
			s, answer, err = beginSCRAM(data)
		case postgresSASLMore:
			if s == nil {
				return reason.During(loggingIn, errMalformed)
			}
			answer, err = s.prove(g.x.ctx, string(data), password)
		case postgresSASLFinal:
			if s == nil {
				return reason.During(loggingIn, errMalformed)
			}
			if err = s.check(string(data)); err == nil {
				continue
			}
		default:
			answer, err = g.password(wants, data, password)
		}
		if err == nil {
			err = g.send('p', answer)
		}
		if err != nil {
			return reason.During(loggingIn, err)
		}
	}
}

// password answers what asks for the password itself or its MD5. In the clear it leaves only within TLS.
func (g *postgresTalk) password(wants uint32, data []byte, password string) ([]byte, error) {
	switch {
	case wants == postgresMD5 && len(data) == 4:
		inner := md5.Sum([]byte(password + g.x.monitor.Login.User))
		outer := md5.Sum(append([]byte(hex.EncodeToString(inner[:])), data...))
		return append([]byte("md5"+hex.EncodeToString(outer[:])), 0), nil
	case wants == postgresClear && g.x.monitor.Security == config.SecurityTLS:
		return append([]byte(password), 0), nil
	case wants == postgresClear:
		return nil, errors.New("server asks for the password in the clear, which needs security: tls")
	}
	return nil, fmt.Errorf("server asks for a login of kind %d: a probe knows scram-sha-256, md5 and password", wants)
}

const scramName = "SCRAM-SHA-256"

// maxSCRAMRounds bounds what a server can make a probe reckon: about a quarter of a second. PostgreSQL's default is 4096.
const maxSCRAMRounds = 1 << 20

// scram is an exchange of SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding.
type scram struct {
	nonce  string
	bare   string // the client's first message
	server []byte // the signature that the server must show
	proven bool
}

// beginSCRAM chooses among the mechanisms that the server offers.
func beginSCRAM(offered []byte) (*scram, []byte, error) {
	found := false
	for name := range bytes.SplitSeq(offered, []byte{0}) {
		found = found || string(name) == scramName
	}
	if !found {
		return nil, nil, fmt.Errorf("server offers no %s", scramName)
	}
	s := &scram{nonce: rand.Text()}
	s.bare = "n=,r=" + s.nonce // PostgreSQL takes the user from the begin of the session
	first := "n,," + s.bare
	answer := append([]byte(scramName), 0)
	answer = binary.BigEndian.AppendUint32(answer, uint32(len(first)))
	return s, append(answer, first...), nil
}

// prove answers the server's challenge.
func (s *scram) prove(ctx context.Context, challenge, password string) ([]byte, error) {
	var nonce, salt64, rounds string
	for part := range strings.SplitSeq(challenge, ",") {
		switch key, value, _ := strings.Cut(part, "="); key {
		case "r":
			nonce = value
		case "s":
			salt64 = value
		case "i":
			rounds = value
		case "m":
			return nil, errors.New("server wants an extension of SCRAM that is not known")
		}
	}
	salt, err := base64.StdEncoding.DecodeString(salt64)
	n, bad := strconv.Atoi(rounds)
	switch {
	case err != nil || bad != nil || len(salt) == 0 || n < 1 || s.server != nil || len(nonce) <= len(s.nonce) || !strings.HasPrefix(nonce, s.nonce):
		return nil, errMalformed
	case n > maxSCRAMRounds:
		return nil, fmt.Errorf("server asks for %d rounds of SCRAM; the limit is %d", n, maxSCRAMRounds)
	}
	salted, err := saltPassword(ctx, password, salt, n)
	if err != nil {
		return nil, err
	}
	clientKey := keyed(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	final := "c=biws,r=" + nonce
	signed := s.bare + "," + challenge + "," + final
	s.server = keyed(keyed(salted, "Server Key"), signed)
	proof := xor(clientKey, keyed(stored[:], signed))
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// check looks at the server's own proof.
func (s *scram) check(final string) error {
	value, ok := strings.CutPrefix(final, "v=")
	shown, err := base64.StdEncoding.DecodeString(value)
	if !ok || err != nil || s.server == nil || subtle.ConstantTimeCompare(shown, s.server) != 1 {
		return errors.New("server did not prove that it knows the password")
	}
	s.proven = true
	return nil
}

// saltPassword is Hi of RFC 5802, which is PBKDF2 for one block. It ends with ctx.
func saltPassword(ctx context.Context, password string, salt []byte, rounds int) ([]byte, error) {
	h := hmac.New(sha256.New, []byte(password))
	h.Write(salt)
	h.Write([]byte{0, 0, 0, 1})
	last := h.Sum(nil)
	out := bytes.Clone(last)
	for i := 1; i < rounds; i++ {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		h.Reset()
		h.Write(last)
		last = h.Sum(last[:0])
		xor(out, last)
	}
	return out, nil
}

func keyed(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
