// Package store keeps the GSLB document of one site on disk: its objects, what is known of who changed them at which site, and what came into
// effect here and when. What Commit was given is on stable storage when it returns.
//
// There are two copies. The database is a bbolt file, with a checksum in every record beside those of bbolt. The copy is a file that is written
// whole some time after a change, and a journal of what was committed since; both are enough to go on with the same document and the same state
// when the database is damaged, and only the history is lost then. A third form, the export, is for people: the document as YAML.
package store
