package gslb

// NeedsClient reports whether any method that decides for a balanced name asks who the client is. Where none does, a
// Query's LDNS and Subnet change nothing.
func (p *Plan) NeedsClient(i DomainIndex) bool {
	return p.virtualServers[p.domains[i].virtualServer].looksAtClient
}
