// Package servers holds tests of probes and load sources against the real servers of Debian's packages, each with its good and its
// bad case. They have the build tag "integration"; where a program is missing they are skipped and say which. There is nothing in
// it for other packages.
package servers
