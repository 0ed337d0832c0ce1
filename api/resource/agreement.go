package resource

import "time"

// Whether a site answers as the node does that was asked.
const (
	AgreementUnknown = "unknown"
	AgreementAgrees  = "agrees"
	AgreementDiffers = "differs"
)

// Agreement is how a site's answers compare with this node's.
type Agreement struct {
	State string    `json:"state" enum:"unknown,agrees,differs" doc:"unknown: the site tells no digests of its answers, or has just begun to."`
	Since time.Time `json:"since" doc:"Since when it is so."`
	// ComparedAt is zero when nothing was compared yet.
	ComparedAt time.Time      `json:"compared_at,omitzero" doc:"When digests were compared last."`
	Causes     []Disagreement `json:"causes,omitempty" doc:"Why they differ, first what the others may follow from. Absent: they do not."`
}

// Disagreement is one cause and what it is about.
type Disagreement struct {
	Cause   string             `json:"cause" enum:"document,services,override,health,location,load-age,clock,answers" doc:"What differs. answers: nothing that answers follow from, as far as is known."`
	Objects []DisagreementItem `json:"objects" nullable:"false" doc:"What it is about, at most 16 of it."`
	More    bool               `json:"more,omitempty" doc:"There is more of it."`
}

// DisagreementItem is a service, an override, a file or a question.
type DisagreementItem struct {
	Name   string `json:"name"`
	Detail string `json:"detail" doc:"What differs, for people."`
}
