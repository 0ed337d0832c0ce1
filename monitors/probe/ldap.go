package probe

import (
	"cmp"
	"errors"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"fairlead/config"
)

// startTLSName is the name of the operation StartTLS (RFC 4511 4.14).
const startTLSName = "1.3.6.1.4.1.1466.20037"

// noAttributes asks for entries without any of their attributes (RFC 4511 4.5.1.8).
const noAttributes = "1.1"

// askLDAP binds to a directory server (RFC 4511), and searches when the monitor has something to search for.
func (x *exchange) askLDAP() error { return spoken(x.talkLDAP()) }

func (x *exchange) talkLDAP() error {
	if err := x.mayTell(); err != nil {
		return err
	}
	s := config.SectionOf(x.monitor.LDAP)
	user, password, err := x.login()
	if err != nil {
		return err
	}
	// A name without a password is bound as nobody, and the bind succeeds (RFC 4513 5.1.2): it would prove nothing.
	if (user == "") != (password == "") {
		return errors.New("a bind needs both a DN and a password: set login.user and login.password, or neither")
	}
	filter, err := ldap.CompileFilter(cmp.Or(s.Filter, "(objectClass=*)"))
	if err != nil {
		return errors.New("ldap.filter is no filter (RFC 4515): " + err.Error())
	}
	conn, err := x.open(389, 636)
	if err != nil {
		return err
	}
	d := newDirectory(x, conn)
	if x.monitor.Security == config.SecuritySTARTTLS {
		if err := d.startTLS(); err != nil {
			return err
		}
	}
	if err := d.bind(user, password); err != nil {
		return err
	}
	x.passes("bound")
	if s.Base != "" || s.Filter != "" {
		if err := d.search(s, filter); err != nil {
			return err
		}
		x.passes("search found an entry")
	}
	_ = d.send(ber.Encode(ber.ClassApplication, ber.TypePrimitive, ldap.ApplicationUnbindRequest, nil, "")) // nobody answers it
	return nil
}

func (d *directory) bind(user, password string) error {
	q := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationBindRequest, nil, "")
	q.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 3, ""))
	q.AppendChild(octetString(user))
	q.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, password, ""))
	a, err := d.ask("bind", q, ldap.ApplicationBindResponse)
	if err != nil {
		return err
	}
	return a.succeeded("bind")
}

func (d *directory) startTLS() error {
	q := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "")
	q.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, startTLSName, ""))
	a, err := d.ask("StartTLS", q, ldap.ApplicationExtendedResponse)
	if err != nil {
		return err
	}
	if err := a.succeeded("StartTLS"); err != nil {
		return err
	}
	return d.encrypt()
}

// search looks for one entry: the first one is enough.
func (d *directory) search(s *config.LDAPProbe, filter *ber.Packet) error {
	scope := map[config.LDAPScope]int{config.LDAPOne: ldap.ScopeSingleLevel, config.LDAPSub: ldap.ScopeWholeSubtree}[s.Scope]
	seconds := int(time.Until(d.x.deadline)/time.Second) + 1
	q := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchRequest, nil, "")
	q.AppendChild(octetString(s.Base))
	for _, choice := range []int{scope, ldap.NeverDerefAliases} {
		q.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, choice, ""))
	}
	for _, limit := range []int{1, seconds} {
		q.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, limit, ""))
	}
	q.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, true, "")) // types only
	q.AppendChild(filter)
	attributes := ber.NewSequence("")
	attributes.AppendChild(octetString(noAttributes))
	q.AppendChild(attributes)

	a, err := d.ask("search", q, ldap.ApplicationSearchResultEntry, ldap.ApplicationSearchResultDone)
	switch {
	case err != nil:
		return err
	case a.operation == ldap.ApplicationSearchResultEntry:
		return nil
	}
	if err := a.succeeded("search"); err != nil {
		return err
	}
	return unlike("search found nothing")
}

func octetString(text string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, text, "")
}
