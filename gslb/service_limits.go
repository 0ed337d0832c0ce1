package gslb

// MaxConnections is how many active connections leave the service out of answers; 0: no limit.
func (s *Service) MaxConnections() uint64 { return s.maxConnections }
