// Package rrl limits how many equal responses a client network gets per second, so that the server is of little use to
// those who forge its address as the source of their queries (response rate limiting).
//
// An account is a client prefix (/24 or /56), a class of response, and what the response says: see Class. Each may have
// Options.PerSecond responses a second and one second's worth in a burst. What is above is dropped, and every nth of it is sent
// truncated, so that a real client behind the forged address comes back over TCP.
//
// All accounts live in one table of fixed size without pointers, which all workers share without locks. Nothing grows
// with the number of clients or names.
package rrl
