// Package store keeps the revisions of the GSLB document on disk: every accepted change, with who made it, why, and the
// whole document as it was. Append returns only after the revision is on stable storage.
//
// A revision is identified by the hash of its content, so the same content can come back (a rollback) as a later revision
// of the same id; the order of the history is that of Append. Texts are kept once however many revisions have them.
package store
