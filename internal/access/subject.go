package access

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"time"

	"fairlead/config"
)

// byCertificate finds the first subject of the node file that a verified certificate fits. It was verified when the connection began, which may be long
// ago: whether it has expired since is looked at again.
func (g *Guard) byCertificate(c *x509.Certificate, now time.Time) (Identity, error) {
	subject := subjectOf(c)
	if now.After(c.NotAfter) {
		return Identity{}, &Refusal{Reason: UnknownCertificate, Why: "the certificate of " + clip(subject) + " expired at " + c.NotAfter.UTC().Format(time.RFC3339)}
	}
	for i := range g.opts.Subjects {
		s := &g.opts.Subjects[i]
		if !fits(s, c, subject) {
			continue
		}
		role, err := ParseRole(string(s.Role))
		if err != nil {
			return Identity{}, &Refusal{Reason: UnknownCertificate, Why: err.Error()} // never: New has looked
		}
		return Identity{Name: s.Subject + s.SAN, Kind: ByCertificate, Role: role, Labels: s.Labels}, nil
	}
	return Identity{}, &Refusal{Reason: UnknownCertificate, Why: "the certificate of " + clip(subject) + " fits none of api.subjects of the node file"}
}

// subjectOf writes a subject as RFC 4514 does, in the order of the certificate: the last attribute first.
func subjectOf(c *x509.Certificate) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(c.RawSubject, &name); err != nil || len(rest) > 0 {
		return c.Subject.String()
	}
	return name.String()
}

func fits(s *config.APISubject, c *x509.Certificate, subject string) bool {
	switch {
	case s.Subject != "":
		return withoutSpaces(s.Subject) == subject
	case strings.Contains(s.SAN, "://"):
		for _, u := range c.URIs {
			if u.String() == s.SAN {
				return true
			}
		}
		return false
	case strings.Contains(s.SAN, "@"):
		return slices.Contains(c.EmailAddresses, s.SAN)
	}
	return s.SAN != "" && slices.ContainsFunc(c.DNSNames, func(name string) bool { return strings.EqualFold(name, s.SAN) })
}

// withoutSpaces takes out the spaces that people write between attributes: those after a comma that is not escaped.
func withoutSpaces(subject string) string {
	var out strings.Builder
	between, escaped := false, false
	for _, c := range subject {
		if between && c == ' ' {
			continue
		}
		between = c == ',' && !escaped
		escaped = c == '\\' && !escaped
		out.WriteRune(c)
	}
	return out.String()
}
