package resource

import (
	"encoding/json"
	"time"
)

// Event is one thing that happened, as /v1/events tells it.
type Event struct {
	Type    string          `json:"type" doc:"transition, peer, config, override or audit; dropped when the client has missed some."`
	Time    time.Time       `json:"time"`
	Subject string          `json:"subject,omitempty" doc:"What it is about: service/web-ams, site/nyc, revision/1a2b…"`
	Summary string          `json:"summary" doc:"What happened, for people."`
	Data    json.RawMessage `json:"data,omitempty" doc:"The same for programs; the keys depend on the type."`
}
