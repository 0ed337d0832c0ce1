package probe

import (
	"errors"
	"net"
	"strconv"

	"fairlead/config"
	"fairlead/monitors/reason"
	"fairlead/monitors/snmp"
)

// sysUpTime is what a probe without checks reads (SNMPv2-MIB).
const sysUpTime = "1.3.6.1.2.1.1.3.0"

// askSNMP reads the objects of all checks with one request, and holds each value against its bounds.
func (x *exchange) askSNMP() error {
	s := config.SectionOf(x.monitor.SNMP)
	oids := []string{sysUpTime}
	if len(s.Checks) > 0 {
		oids = oids[:0]
		for i := range s.Checks {
			oids = append(oids, s.Checks[i].OID)
		}
	}
	conn, err := x.dial("udp", snmp.Port)
	if err != nil {
		return err
	}
	session, err := snmp.Open(x.ctx, &answering{conn, x}, s, func(key string, secret config.Secret) (string, error) {
		return x.secret("snmp."+key, secret)
	})
	if err != nil {
		return err
	}
	values, err := session.Get(oids)
	if _, ok := errors.AsType[*snmp.Status](err); ok {
		return &mismatch{err}
	}
	if err != nil && !x.first.IsZero() { // an engine of version 3 answers twice
		return reason.During(reason.AnswerTo("the request"), err)
	}
	if err != nil {
		return reason.During(reason.Answer, err)
	}
	for i := range values {
		v := &values[i]
		x.step(v.OID, v.Text)
		if v.Numeric {
			x.value(Value{Name: v.OID, Value: v.Number})
		}
		if x.text([]byte(v.Text)) {
			return nil
		}
	}
	if len(s.Checks) == 0 {
		if values[0].Missing != "" {
			return unlike("agent has no sysUpTime: %s", values[0].Missing)
		}
		x.passes("sysUpTime %s", x.veiled(values[0].Text))
		return nil
	}
	for i := range s.Checks {
		if err := judgeSNMP(&s.Checks[i], &values[i], x.veiled(values[i].Text)); err != nil {
			return err
		}
	}
	x.passes("%s is %s", values[0].OID, x.veiled(values[0].Text))
	if n := len(values); n > 1 {
		x.passes("%d values are as they should be", n)
	}
	return nil
}

// judgeSNMP holds a value against a check.
func judgeSNMP(c *config.SNMPCheck, v *snmp.Value, shown string) error {
	switch {
	case v.Missing != "":
		return unlike("%s: %s", v.OID, v.Missing)
	case c.Equals != "" && v.Text != c.Equals:
		return unlike("%s is %s, want %s", v.OID, reason.Quote(shown), reason.Quote(c.Equals))
	case c.Min == nil && c.Max == nil:
		return nil
	case !v.Numeric:
		return unlike("%s is %s, which is no number", v.OID, reason.Quote(shown))
	case c.Min != nil && v.Number < *c.Min:
		return unlike("%s is %s, below %s", v.OID, shown, plain(*c.Min))
	case c.Max != nil && v.Number > *c.Max:
		return unlike("%s is %s, above %s", v.OID, shown, plain(*c.Max))
	}
	return nil
}

// plain is a number without an exponent.
func plain(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// answering is a connection that notes the first byte of an answer.
type answering struct {
	net.Conn
	x *exchange
}

func (a *answering) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	if n > 0 {
		a.x.answered()
	}
	return n, err
}
