// Package revision is the history of the GSLB document as a value: writes, what each of them was based on, and how the writes of
// several sites become one document. It is pure: no clock, no file, no network.
//
// A Revision is one accepted write. It has a Dot, its number among the writes of one Actor (a store that was once made), and the Vector of
// all writes that its author's site had seen: its context. A State is what follows from a set of revisions. For each object it keeps the entries
// that no other write of the same object has seen; where there are several, writes were concurrent: the one with the greater (time, site,
// actor) counts, and the others are a Conflict until a write that has seen them settles it. So a State is a function of the set of
// revisions alone: sites that have exchanged all have the same document and the same id, in whatever order they heard.
package revision
