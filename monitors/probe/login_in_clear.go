package probe

import (
	"errors"

	"fairlead/config"
)

// mayTell refuses a login whose password would cross a network unencrypted, unless the document wants it: who can listen
// there would have it after one interval.
func (x *exchange) mayTell() error {
	l := x.monitor.Login
	if l == nil || l.Password == "" || l.InClear || x.monitor.Security != "" && x.monitor.Security != config.SecurityNone {
		return nil
	}
	if x.target.Endpoint(0).Addr().Unmap().IsLoopback() {
		return nil
	}
	return errors.New("the password would travel in clear: set security: tls or starttls, or login.in_clear: true")
}
