// Package query asks one DNS server one question and shows what came back: a small dig, for people who have none at
// hand and for programs that check answers.
//
// It resolves nothing: no recursion is asked for unless the request says so, nothing is cached and nothing is retried,
// so that what is printed is one exchange (two, when a truncated UDP reply is repeated over TCP, and the result says so).
package query
