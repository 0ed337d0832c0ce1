// Package trial runs a monitor, or reads a load source, once and on demand, and tells what was seen on the way. Nothing of it counts:
// no verdict follows, and no load is reported.
package trial
