package resource

import "encoding/json"

// ObjectItem is one object of the GSLB document in a list.
type ObjectItem struct {
	Name string `json:"name" doc:"What it is called; the last part of its address."`
	ETag string `json:"etag" doc:"Hash of its content, quoted: what If-Match takes."`
	// Object is absent for a file, whose size is in Size.
	Object json.RawMessage `json:"object,omitempty" doc:"The object, without its secrets. Absent for a file."`
	Size   int             `json:"size,omitempty" doc:"Bytes, of a file."`
}

// ObjectList is the objects of one kind.
type ObjectList struct {
	Kind       string       `json:"kind" doc:"The kind: service, virtual-server and so on."`
	Objects    []ObjectItem `json:"objects" nullable:"false" doc:"By name."`
	Revision   string       `json:"revision" doc:"Revision of the document that they were read from."`
	NextCursor string       `json:"next_cursor,omitempty" doc:"Value of cursor for the following page. Absent: this is the last."`
}

// ObjectChange is what a write does, or did, to one object.
type ObjectChange struct {
	Kind   string `json:"kind" doc:"The kind: service, virtual-server and so on."`
	Name   string `json:"name"`
	Change string `json:"change" enum:"added,changed,removed"`
	ETag   string `json:"etag,omitempty" doc:"What If-Match takes afterwards. Absent: the object is removed, or nobody can tell any more."`
	Diff   string `json:"diff,omitempty" doc:"Unified difference of its YAML, without secrets. Absent: there would be too much of it."`
}

// WriteResult is what a write did, or would do.
type WriteResult struct {
	Revision    string         `json:"revision,omitempty" doc:"The revision that was made. Absent: nothing changed, or dry_run was asked for."`
	Current     string         `json:"current" doc:"Revision of the document after it, which is a merge when other sites wrote at the same time."`
	Document    string         `json:"document" doc:"Hash of the whole document after it: equal at sites that hold the same."`
	DryRun      bool           `json:"dry_run,omitempty" doc:"Nothing was written."`
	ConfirmBy   string         `json:"confirm_by,omitempty" doc:"When it is undone unless it is confirmed. Absent: it stays."`
	Changes     []ObjectChange `json:"changes" nullable:"false" doc:"By kind and name."`
	MoreChanges int            `json:"more_changes,omitempty" doc:"Changed objects that are not listed."`
	Effect      *WriteEffect   `json:"effect,omitempty" doc:"What it does to answers. Absent: that was not computed."`
	Warnings    []Fault        `json:"warnings,omitempty" nullable:"false" doc:"What is doubtful in the document."`
}

// WriteEffect is what a write does to answers, by the same decisions as are made for queries, with what is believed now.
type WriteEffect struct {
	Queries   uint64       `json:"queries" doc:"Recent queries that were looked at."`
	Moved     float64      `json:"moved" doc:"Share of them whose answer differs, 0 to 1."`
	NewNames  []string     `json:"new_names,omitempty" nullable:"false" doc:"Names that have an answer only after it."`
	LostNames []string     `json:"lost_names,omitempty" nullable:"false" doc:"Names that have an answer only before it: such a write needs force."`
	Names     []EffectName `json:"names,omitempty" nullable:"false" doc:"Names whose answers move."`
	More      int          `json:"more,omitempty" doc:"Such names that are not listed."`
}

// EffectName is the effect of a write on one name.
type EffectName struct {
	Name    string        `json:"name"`
	Queries uint64        `json:"queries" doc:"Recent queries for it."`
	Moved   float64       `json:"moved" doc:"Share of them whose answer differs, 0 to 1."`
	From    []EffectShare `json:"from" nullable:"false" doc:"Where answers went."`
	To      []EffectShare `json:"to" nullable:"false" doc:"Where answers go."`
}

// EffectShare is how much of a name's answers a service gets.
type EffectShare struct {
	Service string  `json:"service"`
	Part    float64 `json:"part" doc:"0 to 1."`
}
