// Package house holds the rules of this repository as tests: which package may import which, how long functions and
// files get, what every package documents, and that every configuration in the documentation loads.
//
// It has tests only, and they read the sources without building them. The rules are explained in docs/architecture.md
// and CONTRIBUTING.md. A rule that is wrong is changed there and here, in the open; there is no list of exceptions.
package house
