package geodata

// Table says where addresses are. Immutable.
type Table struct{}
