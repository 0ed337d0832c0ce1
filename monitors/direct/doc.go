// Package direct opens connections over TCP to addresses that are known, at the least cost: a prober opens thousands a second, and
// half of what they cost is opening them. Whoever uses it has judged the address.
package direct
