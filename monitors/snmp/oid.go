package snmp

import (
	"fmt"
	"strconv"
	"strings"

	"fairlead/config"
)

// Named is an OID below column whose index is a name: its length, then its octets, as tables with a variable-length index have it
// (RFC 2578 section 7.7).
func Named(column, name string) string {
	var b strings.Builder
	b.WriteString(column)
	b.WriteByte('.')
	b.WriteString(strconv.Itoa(len(name)))
	for i := range len(name) {
		b.WriteByte('.')
		b.WriteString(strconv.Itoa(int(name[i])))
	}
	return b.String()
}

// canonical is an OID as agents' answers have it here: numbers without zeros before them, and a dot before the first.
func canonical(oid string) (string, error) {
	if !config.ValidOID(oid) {
		return "", fmt.Errorf("%q is not an object identifier such as 1.3.6.1.2.1.1.3.0", oid)
	}
	return "." + strings.TrimPrefix(oid, "."), nil
}
