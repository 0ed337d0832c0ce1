package main

// bar is how much less CPU time Fairlead should need for a query than a peer, as a ratio of peer to Fairlead.
type bar struct {
	workload, peer string
	least          float64
}

func bars() []bar {
	return []bar{
		{"rr4-scattered", "gdnsd weighted", 1.10}, {"rr4-scattered", "gdnsd static", 1.0}, {"rr4-scattered", "nsd", 1.25}, {"rr4-scattered", "knot", 1.35},
		{"tcp-single", "gdnsd", 1.2}, {"tcp-single", "nsd", 2.2}, {"tcp-single", "knot", 2},
		{"rr4", "gdnsd weighted", 1.10}, {"rr4", "gdnsd static", 1.0}, {"rr4", "nsd", 1.25}, {"rr4", "knot", 1.35},
		{"ecs", "gdnsd geoip", 1.0}, {"ecs", "nsd", 1.25}, {"ecs", "knot", 1.4},
		{"million", "gdnsd", 1.25}, {"million", "nsd", 2}, {"million", "knot", 1.8},
		{"tcp", "gdnsd", 1.2}, {"tcp", "nsd", 2.2}, {"tcp", "knot", 2},
	}
}

// barOf returns the bar for a peer in a workload; 0 when there is none.
func barOf(workload, peer string) float64 {
	for _, b := range bars() {
		if b.workload == workload && b.peer == peer {
			return b.least
		}
	}
	return 0
}

// closestPeer is the one that starts and memory, and latency, are compared with.
const closestPeer = "gdnsd"
