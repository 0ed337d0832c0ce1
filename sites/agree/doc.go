// Package agree finds out whether sites answer alike, and if not, why.
//
// Every site that answers DNS asks itself the same questions, which follow from the document, and tells the others digests of
// its answers and of what answers follow from: states of services, overrides, location files, the ages of loads. Who sees that
// the digests differ, and go on to, asks the other site for digests of smaller and smaller parts until it knows which services,
// overrides or files differ. Nothing is decided differently for it: it is for people.
package agree
