package cookie

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Lengths of the parts of a cookie option (RFC 7873 section 4), in octets.
const (
	ClientOctets = 8
	// Octets is the length of the cookies made here: the client's part and a server's part of version 1.
	Octets          = ClientOctets + serverOctets
	serverOctets    = 16
	minServerOctets = 8
	maxServerOctets = 32
)

// Times of RFC 9018 section 4.3, in seconds.
const (
	maxAge    = 60 * 60 // an older cookie is not valid
	maxFuture = 5 * 60  // clocks of servers that share a secret may differ by this
	renewAge  = 30 * 60 // an older one is valid, and replaced
)

// SecretOctets is the length of a Secret.
const SecretOctets = 16

// MaxSecrets is how many secrets Keys holds: the active one and another for the time of a change.
const MaxSecrets = 2

// version is the only version of server cookies there is (RFC 9018 section 4.1).
const version = 1

// Secret is what cookies are made with. Who knows it can make cookies for any client.
type Secret [SecretOctets]byte

// Status says what a cookie option is worth. The zero Status is Malformed.
type Status uint8

// Statuses.
const (
	// Malformed: neither 8 nor 16 to 40 octets, which is answered with FORMERR (RFC 7873 section 5.2.2).
	Malformed Status = iota
	// ClientOnly: the client's part alone; it has no cookie of this server yet.
	ClientOnly
	// Bad: a server's part that was not made here for this client, or is too old.
	Bad
	// Aging: valid; the response should bring a new one, because it is older than half an hour or of another secret
	// than the active one.
	Aging
	// Fresh: valid, and may be sent back as it is.
	Fresh
)

// Valid reports whether the client has shown that it receives what is sent to its address.
func (s Status) Valid() bool { return s >= Aging }

// Keys makes and verifies cookies. It is immutable and safe for concurrent use.
type Keys struct {
	secrets [MaxSecrets]Secret // the first is active
	n       int
}

// NewKeys returns the keys of secrets: new cookies are made with the first, the others only verify. There must be 1 to
// MaxSecrets.
func NewKeys(secrets ...Secret) (*Keys, error) {
	if len(secrets) == 0 || len(secrets) > MaxSecrets {
		return nil, fmt.Errorf("make cookie keys: %d secrets; give 1 to %d", len(secrets), MaxSecrets)
	}
	k := &Keys{n: len(secrets)}
	copy(k.secrets[:], secrets)
	return k, nil
}

// RandomKeys returns keys that only this process has. Its cookies end with it, and no other server knows them.
func RandomKeys() *Keys {
	k := &Keys{n: 1}
	_, _ = rand.Read(k.secrets[0][:]) // never fails
	return k
}

// Make appends the cookie for a client, Octets long, to dst. clientCookie is the client's part: its first ClientOctets
// count, and it may lie in dst. client is the address the query came from, unmapped; now is Unix time in seconds, modulo
// 2^32.
func (k *Keys) Make(dst []byte, clientCookie []byte, client netip.Addr, now uint32) []byte {
	var c [Octets]byte
	copy(c[:ClientOctets], clientCookie)
	c[ClientOctets] = version
	binary.BigEndian.PutUint32(c[12:], now)
	binary.LittleEndian.PutUint64(c[16:], k.secrets[0].hash(c[:16], client))
	return append(dst, c[:]...)
}

// Verify says what the data of a cookie option is worth. It keeps nothing of option.
func (k *Keys) Verify(option []byte, client netip.Addr, now uint32) Status {
	if len(option) != Octets {
		return odd(len(option))
	}
	if option[ClientOctets] != version {
		return Bad
	}
	// Times are compared modulo 2^32 (RFC 1982).
	age := int32(now - binary.BigEndian.Uint32(option[12:]))
	if age > maxAge || age < -maxFuture {
		return Bad
	}
	got := binary.LittleEndian.Uint64(option[16:])
	switch {
	case got == k.secrets[0].hash(option, client):
		if age > renewAge {
			return Aging
		}
		return Fresh
	case k.n > 1 && got == k.secrets[1].hash(option, client):
		return Aging
	}
	return Bad
}

// odd judges an option that cannot be one of ours by its length.
func odd(octets int) Status {
	switch {
	case octets == ClientOctets:
		return ClientOnly
	case octets >= ClientOctets+minServerOctets && octets <= ClientOctets+maxServerOctets:
		return Bad
	}
	return Malformed
}
