package adns

import "fairlead/gslb"

// Reasons lists the reasons that this package adds to those of package gslb.
func Reasons() []gslb.Reason {
	return []gslb.Reason{ReasonRedirected, ReasonRefused, ReasonChainEnded, ReasonAliasOutside, ReasonNoData, ReasonInView, ReasonNoView, ReasonProhibited,
		ReasonAllUsable}
}
