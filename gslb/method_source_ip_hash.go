package gslb

// pickSourceIPHash takes the contender with the best weighted draw for the masked client (hash.go).
func (d *Decider) pickSourceIPHash(v *virtualServer, f *field) (int, Reason) {
	mask := v.hash6
	if d.client.Is4() {
		mask = v.hash4
	}
	masked, err := d.client.Prefix(mask)
	if err != nil { // only an invalid address; it hashes like any other
		return d.pickRoundRobin(f)
	}
	d.needScope(mask)
	client := clientHash(masked.Addr())
	best, bestCost, bestWeight := none, uint64(0), uint64(1)
	for i := range f.contenders {
		c := &f.contenders[i]
		cost, weight := negLog2(draw(client, c.seed)), uint64(c.weight)
		if best == none || cost*bestWeight < bestCost*weight {
			best, bestCost, bestWeight = i, cost, weight
		}
	}
	return best, ReasonHash
}
