// Package layout1 is the first layout of the data directory's database: whole documents as revisions, one after the other, of one site.
// Package store reads it once and moves what it finds over to its own.
//
// A revision is identified by the hash of its content, so the same content can come back (a rollback) as a later revision
// of the same id; the order of the history is that of Append. Texts are kept once however many revisions have them.
// Append returns only after the revision is on stable storage.
package layout1
