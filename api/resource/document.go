package resource

import "time"

// Document says which GSLB document a node has in use.
type Document struct {
	ID        string    `json:"id" doc:"Identity: a hash of the content."`
	Source    string    `json:"source" doc:"Path of the file it came from, or the data directory."`
	Since     time.Time `json:"since" doc:"When it came into use."`
	LastError string    `json:"last_error,omitempty" doc:"Why the last reload was refused. Absent: it was not."`
	Waiting   string    `json:"waiting,omitempty" doc:"Which revision is written and not served yet, since when, and what it waits for. Absent: none is."`
	Snapshot  uint64    `json:"snapshot" doc:"Generation of the snapshot that queries are answered from."`
}
