// Package pki is a small certificate authority for the sites of one GSLB document: a root that is kept in a directory,
// and certificates for the Metric Exchange Protocol that name one site each. It is not a general authority: no
// intermediates, no revocation, no renewal by itself. Sites that already have an authority do not need it.
//
// Keys are ECDSA P-256. All functions may be called concurrently, but two processes should not issue into one directory
// at the same time.
package pki
