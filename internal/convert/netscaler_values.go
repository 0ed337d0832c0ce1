package convert

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// unitSeconds is how long a unit of the command line is; 0 for what is none.
func unitSeconds(unit string) time.Duration {
	switch strings.ToUpper(unit) {
	case "MSEC":
		return time.Millisecond
	case "SEC":
		return time.Second
	case "MIN":
		return time.Minute
	}
	return 0
}

// span reads a time with its unit, in seconds without one. ok is false for what is none.
func (p *param) span(unit time.Duration) (d time.Duration, ok bool) {
	count, err := strconv.ParseUint(p.value(), 10, 31)
	if err != nil {
		return 0, false
	}
	if len(p.values) > 1 {
		unit = unitSeconds(p.values[1])
	}
	return time.Duration(count) * unit, true
}

// duration writes a time as the document has it: 1m30s, 2h.
func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// within is a time that keeps to bounds. What does not is listed with what was put in its place.
func (n *netscaler) within(o *object, p *param, d, least, most time.Duration) time.Duration {
	put := max(least, min(most, d))
	if put != d {
		n.changed(o, p.line, p.text(), "it is from %s to %s here: %s was put in its place", duration(least), duration(most), duration(put))
	}
	return put
}

// seconds reads a parameter that is a time. It returns fallback when the parameter is not there or says nothing.
func (n *netscaler) span(o *object, name string, unit, fallback, least, most time.Duration) (time.Duration, bool) {
	p := o.param(name)
	if p == nil {
		return fallback, false
	}
	d, ok := p.span(unit)
	if !ok {
		n.left(o, p.line, p.text(), "it is not a time")
		return fallback, false
	}
	return n.within(o, p, d, least, most), true
}

// count reads a parameter that is a number. What is outside of the bounds is listed with what was put in its place.
func (n *netscaler) count(o *object, at *object, name string, least, most uint64) (uint64, bool) {
	p := at.param(name)
	if p == nil {
		return 0, false
	}
	v, err := strconv.ParseUint(p.value(), 10, 63)
	if err != nil {
		n.left(o, p.line, p.text(), "it is not a number")
		return 0, false
	}
	put := max(least, min(most, v))
	if put != v {
		n.changed(o, p.line, p.text(), "it is from %d to %d here: %d was put in its place", least, most, put)
	}
	return put, true
}

// maskBits is the length of a mask such as 255.255.255.0.
func maskBits(mask string) (int, bool) {
	a, err := netip.ParseAddr(mask)
	if err != nil || !a.Is4() {
		return 0, false
	}
	b := a.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := bits.LeadingZeros32(^v)
	return n, n > 0 && (n == 32 || v<<n == 0)
}

// mask reads a parameter that is an IPv4 mask.
func (n *netscaler) mask(o *object, name string) (int, bool) {
	p := o.param(name)
	if p == nil {
		return 0, false
	}
	length, ok := maskBits(p.value())
	if !ok {
		n.left(o, p.line, p.text(), "it is not a mask whose bits stand at its beginning")
	}
	return length, ok
}

// address reads an address that clients can be given.
func address(text string) (string, bool) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" {
		return "", false
	}
	return a.Unmap().String(), true
}

// secret says where a secret of an object is expected, and lists that it has to be put there.
func (n *netscaler) secret(o *object, p *param, what string) string {
	name := "file:/etc/fairlead/secrets/" + o.as + "-" + what
	n.left(o, p.line, p.text(), "secrets are not copied: put it into %s on every node", strings.TrimPrefix(name, "file:"))
	return name
}

// rankOrders finds out whether there are orders that the document cannot have, and gives all orders their rank then.
func (n *netscaler) rankOrders() {
	orders := []int{1} // of those without an order
	large := false
	note := func(text string) {
		if v, err := strconv.Atoi(text); err == nil && v > 0 {
			orders = append(orders, v)
			large = large || v > maxOrder
		}
	}
	for _, kind := range []string{"gslb vserver", "gslb servicegroup"} {
		for _, o := range n.store.table(kind).list {
			for _, b := range o.bindings {
				for _, p := range b.params {
					if p.key() == "order" {
						note(p.value())
					}
				}
			}
		}
	}
	if !large {
		return
	}
	slices.Sort(orders)
	n.ranks = map[int]int{}
	for _, order := range slices.Compact(orders) {
		n.ranks[order] = min(len(n.ranks)+1, maxOrder)
	}
}

// maxOrder is the greatest order of a member.
const maxOrder = 255

// order is an order as the document has it; 0 for none.
func (n *netscaler) order(o, at *object) int {
	p := at.param("order")
	if p == nil {
		return 0
	}
	v, err := strconv.Atoi(p.value())
	if err != nil || v < 1 {
		n.left(o, p.line, p.text(), "it is not an order")
		return 0
	}
	if rank, ok := n.ranks[v]; ok && rank != v {
		n.changed(o, p.line, p.text(), "orders are from 1 to %d here, and all got their rank: %d was put in its place", maxOrder, rank)
		return rank
	}
	return v
}

// places are dotted qualifiers, widest first. Qualifiers in quotes may have dots, which places cannot. What ends in * says no more.
func place(text string) (string, error) {
	var parts []string
	var part strings.Builder
	inQuotes := false
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text) || text[i] == '.' && !inQuotes:
			parts = append(parts, strings.TrimSpace(part.String()))
			part.Reset()
		case text[i] == '"':
			inQuotes = !inQuotes
		case text[i] == '\\' || text[i] == '.':
		default:
			part.WriteByte(text[i])
		}
	}
	for len(parts) > 0 && (parts[len(parts)-1] == "*" || parts[len(parts)-1] == "") {
		parts = parts[:len(parts)-1]
	}
	const most = 6
	if len(parts) > most {
		return "", fmt.Errorf("a place has at most %d parts, this one %d", most, len(parts))
	}
	for i := range parts {
		if parts[i] == "" {
			parts[i] = "*"
		}
		if strings.Contains(parts[i], "*") && parts[i] != "*" {
			return "", fmt.Errorf("%q has a * inside", parts[i])
		}
	}
	return strings.Join(parts, "."), nil
}
