// Package secret reads the passwords, communities and tokens that monitors and load sources use. The document says only where
// each is; the node file says where that may be, so that who writes the document cannot have a node send any file that it can
// read to a server of his choice. No error and no log line contains a secret.
package secret
