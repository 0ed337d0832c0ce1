// Package mep is the Metric Exchange Protocol: how the sites of one GSLB document tell each other what they see.
//
// An Exchange keeps one session with each peer site. A session is a TCP connection under TLS 1.3 whose certificates name
// the two sites, on which both ends send frames: Hello once, then every metrics interval what changed of the site's services,
// and of those of sites that report to it, KeepAlive, and Leaving before a planned stop.
// docs/mep-protocol.md is the normative description; the layouts beside the constants here repeat it.
//
// The package carries reports, it does not believe them: which evidence counts is decided in package sites. It knows
// nothing of DNS, of probes or of the document beyond the names and addresses of the sites.
//
// The way of services: Options.Services -> encoder (what receivers hold, and what has to be told) -> stream (rounds, encoded
// once) -> session writers -> the peer's mirror (what it was told) -> settle (is it the newest?) -> ServicesReport. A parent's
// encoder also takes what the mirrors of its children hold.
//
// Concurrency: Run owns all goroutines (accepting, one dial loop for each peer that this site dials, two for each
// session, one announcer, one that chooses a parent) and returns when they have ended. All exported methods may be called from any goroutine.
package mep
