// Package zonetext reads zone-file text (RFC 1035 section 5) as a stream of records in wire form. Common lines are read
// without an allocation. What is unusual in an entry (brackets, escapes, rare types, the generic form of RFC 3597) is
// handed to miekg/dns, for that entry alone.
//
// $ORIGIN, $TTL and, where the caller allows it, $INCLUDE are understood. $GENERATE is refused, because a line of text
// could stand for thousands of records. A record without a TTL takes that of $TTL, else the last one that was stated; it
// is an error when there is neither. All problems of a text are found in one reading, as far as what follows does not
// depend on them.
package zonetext
