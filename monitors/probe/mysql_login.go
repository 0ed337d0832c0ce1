package probe

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// maxMySQLTurns bounds how often a server may ask for more during a login.
const maxMySQLTurns = 8

// maxMySQLProof is how long a proof may be: its length is one octet.
const maxMySQLProof = 250

// Ways to log in. Others are told in the reason.
const (
	mysqlNative  = "mysql_native_password"
	mysqlCaching = "caching_sha2_password"
	mysqlSHA256  = "sha256_password"
	mysqlClear   = "mysql_clear_password"
)

// login answers the greeting, and goes on until the server says that the user is logged in.
func (m *mysqlTalk) login(hello *mysqlGreeting, user, password, database string) error {
	plugin, challenge := hello.plugin, hello.challenge
	proof, err := m.proof(plugin, challenge, password)
	if err != nil { // the server may ask for another way, which it does only when it got an answer
		plugin = mysqlNative
		if proof, err = m.proof(plugin, challenge, password); err != nil {
			return err
		}
	}
	if len(proof) > maxMySQLProof {
		return fmt.Errorf("login.password is longer than %d octets", maxMySQLProof-1)
	}
	var flags uint32
	if database != "" {
		flags = mysqlWithDatabase
	}
	b := m.preamble(flags)
	b = append(append(b, user...), 0)
	b = append(append(b, byte(len(proof))), proof...)
	if database != "" {
		b = append(append(b, database...), 0)
	}
	b = append(append(b, plugin...), 0)
	if err := m.send(false, b); err != nil {
		return reason.During(loggingIn, err)
	}
	for range maxMySQLTurns {
		packet, err := m.receive(loggingIn)
		if err != nil {
			return err
		}
		switch packet[0] {
		case mysqlOK:
			return nil
		case mysqlError:
			return m.failure(packet)
		case mysqlEOF:
			if plugin, challenge, err = parseMySQLSwitch(packet); err == nil {
				proof, err = m.proof(plugin, challenge, password)
			}
		case mysqlMore:
			proof, err = m.more(plugin, packet[1:], password)
		default:
			err = errMalformed
		}
		if err != nil {
			return reason.During(loggingIn, err)
		}
		if packet[0] == mysqlMore && proof == nil {
			continue // the server goes on by itself
		}
		if err := m.send(false, proof); err != nil {
			return reason.During(loggingIn, err)
		}
	}
	return fmt.Errorf("server asks for more than %d proofs of the login", maxMySQLTurns)
}

// parseMySQLSwitch reads the request for another way to log in.
func parseMySQLSwitch(packet []byte) (plugin string, challenge []byte, err error) {
	if len(packet) == 1 {
		return "", nil, fmt.Errorf("server asks for passwords of MySQL before 4.1: give this user %s or %s", mysqlNative, mysqlCaching)
	}
	o := octets{rest: packet[1:]}
	plugin = o.text()
	return plugin, bytes.TrimSuffix(o.rest, []byte{0}), nil
}

// proof is what shows that the password is known. Passwords leave in the clear only within TLS.
func (m *mysqlTalk) proof(plugin string, challenge []byte, password string) ([]byte, error) {
	encrypted := m.x.monitor.Security == config.SecurityTLS
	switch plugin {
	case mysqlNative, "":
		if password == "" {
			return []byte{}, nil
		}
		return mysqlNativeProof(challenge, password), nil
	case mysqlCaching:
		if password == "" {
			return []byte{}, nil
		}
		return mysqlCachingProof(challenge, password), nil
	case mysqlSHA256, mysqlClear:
		if encrypted {
			return append([]byte(password), 0), nil
		}
		return nil, fmt.Errorf("this user logs in with %s, which needs security: tls", plugin)
	}
	return nil, fmt.Errorf("this user logs in with %s: give the monitor's user %s or %s", reason.Quote(m.x.veiled(plugin)), mysqlNative, mysqlCaching)
}

// more answers what caching_sha2_password asks besides. Nil: nothing is to be sent.
func (m *mysqlTalk) more(plugin string, data []byte, password string) ([]byte, error) {
	const fast, full = 3, 4
	switch {
	case plugin != mysqlCaching || len(data) != 1:
		return nil, errMalformed
	case data[0] == fast:
		return nil, nil
	case data[0] != full:
		return nil, errMalformed
	case m.x.monitor.Security != config.SecurityTLS:
		return nil, fmt.Errorf("the first login with %s since the server started needs security: tls", mysqlCaching)
	}
	return append([]byte(password), 0), nil
}

// mysqlNativeProof is SHA1(password) xor SHA1(challenge + SHA1(SHA1(password))).
func mysqlNativeProof(challenge []byte, password string) []byte {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	h := sha1.New()
	h.Write(challenge[:min(20, len(challenge))])
	h.Write(twice[:])
	return xor(once[:], h.Sum(nil))
}

// mysqlCachingProof is SHA256(password) xor SHA256(SHA256(SHA256(password)) + challenge).
func mysqlCachingProof(challenge []byte, password string) []byte {
	once := sha256.Sum256([]byte(password))
	twice := sha256.Sum256(once[:])
	h := sha256.New()
	h.Write(twice[:])
	h.Write(challenge[:min(20, len(challenge))])
	return xor(once[:], h.Sum(nil))
}

// xor puts b over a, which is of the same length.
func xor(a, b []byte) []byte {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}
