// Package direct opens connections over TCP to addresses that are known, at the least cost: a prober opens thousands a second, and
// half of what they cost is opening them. A Dialer opens one for a goroutine; a Loop runs whole exchanges, a request and its answer,
// without any. Whoever uses them has judged the address.
package direct
