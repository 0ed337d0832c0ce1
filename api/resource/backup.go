package resource

// Restored is what became of a backup that was taken in.
type Restored struct {
	Site    string   `json:"site,omitempty" doc:"Site that the backup was made at."`
	Made    string   `json:"made,omitempty" doc:"When."`
	Parts   []string `json:"parts" nullable:"false" doc:"What was in it: document, history, overrides and so on."`
	Restart bool     `json:"restart,omitempty" doc:"It counts after a restart of the node."`
}
