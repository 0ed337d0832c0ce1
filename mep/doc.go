// Package mep is the Metric Exchange Protocol: how the sites of one GSLB document tell each other what they see.
//
// An Exchange keeps one session with each peer site. A session is a TCP connection under TLS 1.3 whose certificates name
// the two sites, on which both ends send frames: Hello once, then the full set of the site's own services every metrics
// interval (constant work: a refresh and a change take the same path), KeepAlive, and Leaving before a planned stop.
// docs/mep-protocol.md is the normative description; the layouts beside the constants here repeat it.
//
// The package carries reports, it does not believe them: which evidence counts is decided in package sites. It knows
// nothing of DNS, of probes or of the document beyond the names and addresses of the sites.
//
// Concurrency: Run owns all goroutines (accepting, one dial loop for each peer that this site dials, two for each
// session, one announcer) and returns when they have ended. All exported methods may be called from any goroutine.
package mep
