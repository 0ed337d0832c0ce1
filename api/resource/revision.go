package resource

import "time"

// Revision is one accepted write, as it came into effect at the node that is asked.
type Revision struct {
	ID          string         `json:"id" doc:"Hash of all that follows and of the objects."`
	Current     string         `json:"current" doc:"Revision of the document after it: this one, or a merge."`
	Parents     []string       `json:"parents" nullable:"false" doc:"Newest revisions that its author's site had seen."`
	Site        string         `json:"site,omitempty" doc:"Where it was written."`
	Author      string         `json:"author,omitempty" doc:"Who."`
	Source      string         `json:"source,omitempty" doc:"How: api, cli, console, file, seed, rollback, restore, resolve, etcd."`
	Reason      string         `json:"reason,omitempty" doc:"Why, in the author's words."`
	Time        time.Time      `json:"time,omitzero" doc:"When it was written."`
	Applied     time.Time      `json:"applied,omitzero" doc:"When it came into effect here."`
	From        string         `json:"from,omitempty" doc:"Site that it was heard from. Absent: it was written here."`
	ConfirmBy   time.Time      `json:"confirm_by,omitzero" doc:"When it is undone unless it is confirmed. Absent: it stays."`
	Changed     int            `json:"changed" doc:"How many objects it changed."`
	Objects     []string       `json:"objects,omitempty" nullable:"false" doc:"The first of these, such as service/web-ams."`
	Changes     []ObjectChange `json:"changes,omitempty" nullable:"false" doc:"What changed here when it came into effect. Absent in lists."`
	MoreChanges int            `json:"more_changes,omitempty" doc:"Changes that are not listed."`
}

// RevisionList is the history of the document.
type RevisionList struct {
	Revisions  []Revision `json:"revisions" nullable:"false" doc:"Newest first."`
	NextCursor string     `json:"next_cursor,omitempty" doc:"Value of cursor for the following page. Absent: this is the last."`
}

// RevisionDiff is how the documents of two revisions differ.
type RevisionDiff struct {
	From        string         `json:"from" doc:"The revision that it starts from."`
	To          string         `json:"to" doc:"The one that it leads to."`
	Changes     []ObjectChange `json:"changes" nullable:"false" doc:"By kind and name."`
	MoreChanges int            `json:"more_changes,omitempty" doc:"Changes that are not listed."`
}
