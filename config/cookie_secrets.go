package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	// cookieSecretOctets is the length of a secret (RFC 9018 section 4.4: a key of SipHash).
	cookieSecretOctets = 16
	// maxCookieSecrets is the active one and, while it is being changed on all nodes, another.
	maxCookieSecrets = 2
	// maxSecretFileBytes is the largest file of secrets that is looked into.
	maxSecretFileBytes = 4096
)

// CookieSecrets reads the file of dns.cookie_secret_file: one secret per line, 32 hexadecimal digits, the active one
// first. Empty lines and lines that begin with # do not count. Errors never show what the file holds.
func CookieSecrets(path string) ([][cookieSecretOctets]byte, error) {
	text, err := readLimited(path, maxSecretFileBytes)
	if err != nil {
		return nil, fmt.Errorf("read cookie secrets: %w", err)
	}
	secrets, err := parseCookieSecrets(string(text))
	if err != nil {
		return nil, fmt.Errorf("read cookie secrets from %q: %w", path, err)
	}
	return secrets, nil
}

func parseCookieSecrets(text string) ([][cookieSecretOctets]byte, error) {
	var secrets [][cookieSecretOctets]byte
	line := 0
	for text := range strings.Lines(text) {
		line++
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		secret, err := hex.DecodeString(text)
		if err != nil || len(secret) != cookieSecretOctets {
			return nil, fmt.Errorf("line %d is not %d hexadecimal digits", line, 2*cookieSecretOctets)
		}
		if len(secrets) == maxCookieSecrets {
			return nil, fmt.Errorf("line %d is one secret too many; at most %d: the active one, and the next or the last one", line, maxCookieSecrets)
		}
		secrets = append(secrets, [cookieSecretOctets]byte(secret))
	}
	if len(secrets) == 0 {
		return nil, errors.New("there is no secret in it")
	}
	return secrets, nil
}
