// Package source reads how busy a service is from what people really run: load balancers, metric systems, the host itself. One
// file has one kind of source. A reading is what the source tells, in the units of package metric; what follows from a series of
// them (rates, ages) is reckoned in package monitors.
package source
