package snmp

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gosnmp/gosnmp"
)

// Value is what an agent told of an object.
type Value struct {
	OID  string // as it was asked for
	Text string // of a number, its digits; of octets that are no text, their hexadecimal form
	// Number is the value as a number: also that of a text that is one, as many agents tell fractions.
	Number  float64
	Numeric bool
	// Whole is the number when it is a natural one, also above 2^53.
	Whole uint64
	// Counter32 says that the number goes on from 2^32 at 0.
	Counter32 bool
	// Missing says why there is no value: the agent knows no such object, or no such instance of it. Empty: there is one.
	Missing string
}

// maxText bounds the text of a value.
const maxText = 4 << 10

// valueOf reads a variable of an answer.
func valueOf(oid string, v *gosnmp.SnmpPDU) (Value, error) {
	out := Value{OID: oid}
	switch v.Type {
	case gosnmp.NoSuchObject:
		out.Missing = "no such object"
		return out, nil
	case gosnmp.NoSuchInstance:
		out.Missing = "no such instance"
		return out, nil
	case gosnmp.EndOfMibView:
		out.Missing = "end of the MIB view"
		return out, nil
	}
	switch n := v.Value.(type) {
	case nil:
		out.Missing = "no value"
		return out, nil
	case int:
		out.number(float64(n), strconv.Itoa(n))
	case uint:
		out.whole(uint64(n))
	case uint32:
		out.whole(uint64(n))
	case uint64:
		out.whole(n)
	case float32:
		out.number(float64(n), strconv.FormatFloat(float64(n), 'g', -1, 32))
	case float64:
		out.number(n, strconv.FormatFloat(n, 'g', -1, 64))
	case string: // an OID or an address
		out.text(n)
	case []byte:
		out.octets(n)
	default:
		return out, fmt.Errorf("%s has a value of a type that is not known: %v", oid, v.Type)
	}
	out.Counter32 = v.Type == gosnmp.Counter32
	return out, nil
}

func (v *Value) number(n float64, text string) {
	v.Text = text
	if !math.IsNaN(n) && !math.IsInf(n, 0) {
		v.Number, v.Numeric = n, true
	}
}

func (v *Value) whole(n uint64) {
	v.number(float64(n), strconv.FormatUint(n, 10))
	v.Whole = n
}

func (v *Value) text(s string) { v.Text = s[:min(len(s), maxText)] }

// octets reads a text, which may be a number, or octets that are neither.
func (v *Value) octets(b []byte) {
	b = b[:min(len(b), maxText)]
	if !utf8.Valid(b) {
		v.Text = hex.EncodeToString(b)
		return
	}
	v.Text = string(b)
	plain := strings.TrimSpace(v.Text)
	if strings.Trim(plain, "0123456789.eE+-") != "" { // not "Inf", not "0x10"
		return
	}
	if n, err := strconv.ParseFloat(plain, 64); err == nil {
		v.Number, v.Numeric = n, true
	}
}
