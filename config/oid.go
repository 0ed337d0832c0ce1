package config

import (
	"strconv"
	"strings"
)

// Limits of object identifiers (RFC 2578 section 3.5).
const (
	maxOIDNumbers = 128
	maxOIDNumber  = 1<<32 - 1
)

// ValidOID reports whether a text is an object identifier in numbers, such as 1.3.6.1.2.1.1.3.0. A dot may stand before it.
func ValidOID(text string) bool {
	numbers := strings.Split(strings.TrimPrefix(text, "."), ".")
	if len(numbers) < 2 || len(numbers) > maxOIDNumbers {
		return false
	}
	for i, number := range numbers {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n > maxOIDNumber || strconv.FormatUint(n, 10) != number || i == 0 && n > 2 || i == 1 && n > 39 {
			return false
		}
	}
	return true
}
