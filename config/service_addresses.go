package config

import "net/netip"

// AnswerAddresses returns the addresses of the service that answers to the clients of a view carry, invalid where there are
// none: those of the view, else the public ones, else its own, for each family that it has itself. view is empty for clients
// that are in none. Monitors and other sites use the service's own.
func (s *Service) AnswerAddresses(view string) (addr4, addr6 netip.Addr) {
	addr4, addr6 = replaceAddresses(s.Address4(), s.Address6(), s.PublicAddresses)
	if view == "" {
		return addr4, addr6
	}
	for i := range s.Views {
		if s.Views[i].View == view {
			addr4, addr6 = replaceAddresses(addr4, addr6, s.Views[i].Addresses)
		}
	}
	return addr4, addr6
}

// replaceAddresses puts addresses in the place of those of the same family. A family that is not there is not added: nobody
// would monitor it.
func replaceAddresses(addr4, addr6 netip.Addr, by []netip.Addr) (netip.Addr, netip.Addr) {
	for _, a := range by {
		switch {
		case a.Is4() && addr4.IsValid():
			addr4 = a
		case a.Is6() && addr6.IsValid():
			addr6 = a
		}
	}
	return addr4, addr6
}
