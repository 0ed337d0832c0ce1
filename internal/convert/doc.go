// Package convert turns the configuration of other products into GSLB documents: NetScaler's ns.conf, and the zone files and zone
// statements of BIND.
//
// It is pure: text in; the document's text and a list of findings out. Nothing is dropped in silence: what has no counterpart here, what
// was changed to fit, and what the operator should know is a finding with the line it comes from, and stands as a comment beside the
// object it belongs to. Secrets are never copied: the document says where each node finds its own. What comes out was read by
// config.Parse; what that has to say is among the findings.
package convert
