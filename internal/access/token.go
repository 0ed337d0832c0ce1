package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
)

// A token is flt_, 256 random bits, and a checksum of both: 53 characters that programs which look for leaked secrets recognise, and
// whose typing errors are told from tokens that are not known.
const (
	tokenPrefix  = "flt_"
	tokenBytes   = 32
	checksumSize = 4
	tokenLength  = len(tokenPrefix) + 43 + 6
)

var tokenEncoding = base64.RawURLEncoding.Strict() // no two texts are the same token

// digest is the SHA-256 of a token's text. Passwords need a slow hash because they can be guessed; of 256 random bits nobody tries
// enough to matter, and a slow hash would only make every request slow.
type digest [sha256.Size]byte

func (d digest) String() string { return hex.EncodeToString(d[:]) }

// newSecret makes a token.
func newSecret() string {
	var random [tokenBytes]byte
	rand.Read(random[:]) //nolint:errcheck // it never fails
	body := tokenPrefix + tokenEncoding.EncodeToString(random[:])
	return body + checksum(body)
}

func checksum(body string) string {
	var sum [checksumSize]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(body)))
	return tokenEncoding.EncodeToString(sum[:])
}

// readSecret checks the form of a token and returns its digest.
func readSecret(text string) (digest, *Refusal) {
	if len(text) != tokenLength || !strings.HasPrefix(text, tokenPrefix) {
		return digest{}, &Refusal{Reason: MistypedToken, Why: "this is no token: one is flt_ and 49 characters"}
	}
	body, sum := text[:tokenLength-6], text[tokenLength-6:]
	if _, err := tokenEncoding.DecodeString(body[len(tokenPrefix):]); err != nil || checksum(body) != sum {
		return digest{}, &Refusal{Reason: MistypedToken, Why: "the token has a typing error: its checksum is wrong"}
	}
	return sha256.Sum256([]byte(text)), nil
}
