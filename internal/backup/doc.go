// Package backup puts everything that a site knows into one file, and makes a data directory of such a file: the document with its history and state,
// overrides, what was learned, sessions, tokens (their hashes), the audit log, and the node file. Keys and other secrets are in it only when they
// are asked for, and then the file is encrypted as a whole with a passphrase.
//
// The file is a tar archive with gzip; encrypted, that inside the format of age (age-encryption.org/v1), so that both can be opened without
// Fairlead. Its first entry says what it is, its last one lists all others with their SHA-256: a file that is cut, spoilt or foreign is refused
// before anything is touched.
package backup
