package probe

import (
	"crypto/tls"
	"time"

	"fairlead/monitors/reason"
	"fairlead/monitors/trust"
)

// askTLS passes when the handshake does: the chain, the name and the days that are left are checked in it.
func (x *exchange) askTLS() error {
	conn, err := x.dial("tcp", 0)
	if err != nil {
		return err
	}
	secure, err := x.secure(conn, "")
	if err != nil {
		return err
	}
	x.answered()
	state := secure.ConnectionState()
	first := trust.FirstToExpire(&state)
	if first == nil {
		x.passes("%s", tls.VersionName(state.Version))
		return nil
	}
	left := int(time.Until(first.NotAfter) / (24 * time.Hour))
	x.passes("%s, certificate for %s, %d days left", tls.VersionName(state.Version), reason.CertificateNames(state.PeerCertificates[0]), left)
	x.value(Value{Name: "days_left", Value: float64(left), Unit: "d"})
	return nil
}
