// Package mepv1 is package mep as it was when version 1 was the only version of the protocol: the encoder and decoder that releases in
// the field have. It is frozen. Tests let it talk to package mep, both ways; nothing is mended here.
package mepv1
