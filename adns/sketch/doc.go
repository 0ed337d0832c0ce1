// Package sketch keeps a bounded picture of which balanced names are asked for from where, and how often: the ground that
// what-if questions stand on.
//
// The goroutines that answer count down in a Source each. A query whose turn it is becomes a Sample that stands for all
// queries since the one before; one goroutine adds samples to a Sketch. Counts halve every HalfLife. The table is
// space-saving (Metwally, Agrawal, El Abbadi, 2005): a new key takes the place of the least frequent one, whose queries
// stay in the remainder of its name, so the totals are those of all samples.
package sketch
