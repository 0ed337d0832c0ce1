// Package whatif says where clients and connections would go if sites or services were lost, and how far two documents
// answer the same queries alike. It asks the function that serves queries, gslb.Decide, many times over, and is as pure:
// it reads no clock and nothing but its arguments. It does not know whether a service can in truth carry what it is said
// to carry.
package whatif
