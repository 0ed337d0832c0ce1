package probe

import (
	"net/netip"

	"fairlead/config"
)

func target(service, address string, m config.Monitor) Target {
	return Target{Service: service, Monitor: &m, Address: netip.MustParseAddrPort(address)}
}

// over is a Prober whose connections are opened by dial.
func over(dial DialFunc) *Prober { return New(Options{DialContext: dial}) }
