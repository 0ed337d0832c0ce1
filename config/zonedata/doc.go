// Package zonedata holds the static records of a zone in a compact form: two slices without pointers, which the garbage
// collector never looks into, with every record set in the form in which it goes into a response.
//
// A Zone is made once by a Builder and never changes. It is found by name with one hash and, nearly always, two cache
// lines: a slot and a node. A zone of a million addresses takes about 57 MB.
package zonedata
