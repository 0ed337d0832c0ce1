package config

import (
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
)

// textKind describes a type that reads itself from text.
type textKind struct {
	noun string
	code Code
	hint func(n *node) string
}

func textKindOf(t reflect.Type) textKind {
	none := func(*node) string { return "" }
	switch t {
	case durationType:
		return textKind{"a duration such as 30s, 5m or 1h30m", codeDuration, durationHint}
	case reflect.TypeFor[netip.Addr]():
		return textKind{"an IPv4 or IPv6 address", codeAddress, addressHint}
	case reflect.TypeFor[netip.Prefix]():
		return textKind{"a prefix such as 203.0.113.0/24 or 2001:db8::/32", codePrefix, prefixHint}
	}
	return textKind{"a valid value", codeWrongKind, none}
}

func durationHint(n *node) string {
	if n.scalar == scalarInteger {
		return "add a unit: " + quote(n.value+"s")
	}
	if days, ok := strings.CutSuffix(n.value, "d"); ok {
		if v, err := strconv.Atoi(days); err == nil && v >= 0 && v < 10_000 {
			return "there is no unit for days: write " + quote(strconv.Itoa(24*v)+"h")
		}
	}
	return ""
}

func addressHint(n *node) string {
	if p, err := netip.ParsePrefix(n.value); err == nil {
		return "did you mean " + quote(p.Addr().String()) + "?"
	}
	if a, err := netip.ParseAddrPort(n.value); err == nil {
		return "the port has a key of its own: did you mean " + quote(a.Addr().String()) + "?"
	}
	return ""
}

func prefixHint(n *node) string {
	if a, err := netip.ParseAddr(n.value); err == nil && a.Zone() == "" {
		return "did you mean " + quote(netip.PrefixFrom(a, a.BitLen()).String()) + "?"
	}
	return ""
}

// scalar decodes texts, truth values and numbers. Nothing is converted silently: a number is no text, a text no number.
func (d *decoder) scalar(n *node, v reflect.Value, path *trail, f *field) {
	want := "a text"
	ok := n.kind == kindScalar
	switch {
	case v.Kind() == reflect.String:
		if ok = ok && n.scalar == scalarText; ok {
			v.SetString(n.value)
		}
	case v.Kind() == reflect.Bool:
		want = "true or false"
		if ok = ok && n.scalar == scalarBool; ok {
			v.SetBool(strings.EqualFold(n.value, "true"))
		}
	case v.CanInt() || v.CanUint():
		want = "a whole number"
		if ok = ok && n.scalar == scalarInteger; ok {
			d.integer(n, v, path, f)
		}
	case v.CanFloat():
		want = "a number"
		if ok = ok && (n.scalar == scalarInteger || n.scalar == scalarFloat); ok {
			d.float(n, v, path, f)
		}
	}
	if !ok && v.Type() == reflect.TypeFor[Secret]() && n.scalar != scalarNull {
		// The value is not shown: it may be the secret itself, a number without quotes.
		d.fail(n, path, codeSecret, secretHint, "a secret does not stand in the document: this says where each node finds it")
		return
	}
	if !ok {
		d.fail(n, path, codeWrongKind, scalarHint(n, v), "expected %s, not %s", want, n.describe())
	}
}

// scalarHint says how to write the value so that it has the wanted type, if that is near.
func scalarHint(n *node, v reflect.Value) string {
	if n.kind != kindScalar {
		return ""
	}
	if v.Kind() == reflect.String && n.scalar != scalarText && n.scalar != scalarNull {
		return "put it in quotes: " + quote(n.value)
	}
	if n.scalar != scalarText {
		return ""
	}
	switch strings.ToLower(n.value) {
	case "yes", "on", "true":
		if v.Kind() == reflect.Bool {
			return "did you mean true?"
		}
	case "no", "off", "false":
		if v.Kind() == reflect.Bool {
			return "did you mean false?"
		}
	}
	if _, err := strconv.ParseFloat(n.value, 64); err == nil && v.Kind() != reflect.Bool {
		return "write it without quotes"
	}
	return ""
}

// integer accepts plain decimal only: in YAML 010 is eight to some readers and ten to others.
func (d *decoder) integer(n *node, v reflect.Value, path *trail, f *field) {
	digits := strings.TrimPrefix(n.value, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" || len(digits) > 1 && digits[0] == '0' {
		d.fail(n, path, codeWrongKind, "", "expected a decimal number without leading zeros, not %s", clip(n.value))
		return
	}
	outside := func(text string) {
		d.fail(n, path, codeRange, "", "%s is out of range: %s", clip(n.value), text)
	}
	bits := v.Type().Bits()
	if v.CanUint() {
		u, err := strconv.ParseUint(n.value, 10, bits)
		if err != nil {
			outside("0 to " + strconv.FormatUint(math.MaxUint64>>(64-bits), 10))
			return
		}
		if f == nil || f.limits == nil || d.within(float64(u), n, path, f.limits) {
			v.SetUint(u)
		}
		return
	}
	i, err := strconv.ParseInt(n.value, 10, bits)
	switch {
	case err != nil && f != nil && f.limits != nil:
		outside(f.limits.text)
	case err != nil:
		outside("too large a number")
	case f == nil || f.limits == nil || d.within(float64(i), n, path, f.limits):
		v.SetInt(i)
	}
}

func (d *decoder) float(n *node, v reflect.Value, path *trail, f *field) {
	x, err := strconv.ParseFloat(n.value, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		d.fail(n, path, codeWrongKind, "", "expected a decimal number, not %s", clip(n.value))
		return
	}
	if f == nil || f.limits == nil || d.within(x, n, path, f.limits) {
		v.SetFloat(x)
	}
}
