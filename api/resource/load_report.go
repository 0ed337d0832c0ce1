package resource

import "time"

// LoadReport is a pushed report of how busy a service is.
type LoadReport struct {
	Active uint64 `json:"active" maximum:"9007199254740992" doc:"Active connections (at most 2^53)."`
	// At is when the report was made; zero: when it arrives.
	At time.Time `json:"at,omitzero" doc:"When the report was made. Default: when it arrives. Not more than 5 s ahead of this node's clock."`
}
