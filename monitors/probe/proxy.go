package probe

import (
	"net"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// Headers of HAProxy's PROXY protocol that speak for nobody but the probe itself: the server is to take the connection as it is.
const (
	proxyUnknown = "PROXY UNKNOWN\r\n"
	proxyLocal   = "\r\n\r\n\x00\r\nQUIT\n" + "\x20" + "\x00" + "\x00\x00" // version 2, LOCAL; family unspecified; no addresses
)

// introduce sends the header of the PROXY protocol that the monitor wants.
func (x *exchange) introduce(conn net.Conn) error {
	header := x.proxyHeader()
	if header == "" {
		return nil
	}
	if _, err := conn.Write([]byte(header)); err != nil {
		return reason.During(reason.Connect, err)
	}
	x.step("proxy header", string(x.monitor.ProxyProtocol))
	return nil
}

// proxyHeader is that header; empty: none.
func (x *exchange) proxyHeader() string {
	switch x.monitor.ProxyProtocol {
	case config.ProxyV1:
		return proxyUnknown
	case config.ProxyV2:
		return proxyLocal
	}
	return ""
}
