package resource

import "encoding/json"

// Problem is why a request was not done (RFC 9457). Type is always "about:blank": Status and the codes in Errors tell
// problems apart.
type Problem struct {
	Type   string  `json:"type" doc:"Always about:blank."`
	Title  string  `json:"title" doc:"The status in words."`
	Status int     `json:"status" doc:"The HTTP status."`
	Detail string  `json:"detail" doc:"What was wrong with this request."`
	Errors []Fault `json:"errors,omitempty" nullable:"false" doc:"Everything that was found wrong, all at once."`

	// Of writes that were based on what is not current any more.
	Revision string          `json:"revision,omitempty" doc:"The revision that counts now, when the write was based on another one."`
	ETag     string          `json:"etag,omitempty" doc:"What If-Match would have to be."`
	Current  json.RawMessage `json:"current,omitempty" doc:"The object as it is now, without secrets."`
}

// Fault is one thing that is wrong with a request.
type Fault struct {
	// Pointer says where, in the manner of a JSON Pointer (RFC 6901) whose first part is path, query, header or body; or objects, followed by the
	// object of the document and the place in it.
	Pointer string `json:"pointer" doc:"Where: a JSON Pointer whose first part is path, query, header or body; or objects, whose next part is an object of the document such as service~1web-ams."`
	Code    string `json:"code" doc:"Stable word for what is wrong."`
	Detail  string `json:"detail" doc:"What is wrong and what to do, for people."`
	Line    int    `json:"line,omitempty" doc:"Line of the body, or of the zone file that the pointer names, from 1. Absent: it is in neither, or nobody can tell."`
	Column  int    `json:"column,omitempty" doc:"Column there, from 1."`
}

// Codes of faults.
const (
	CodeRequired         = "required"          // it is missing
	CodeUnknown          = "unknown"           // there is no such parameter or key
	CodeInvalid          = "invalid"           // it cannot be read, or is outside its range
	CodeMediaType        = "media-type"        // the body is not declared to be JSON
	CodeNoSuchService    = "no-such-service"   // the document has no service, or no service and no site, of this name
	CodeNoSuchSite       = "no-such-site"      // the document has no site of this name
	CodeNoSuchResource   = "no-such-resource"  // there is nothing at this path
	CodeMethod           = "method"            // the resource does not take this method
	CodeNotPushed        = "not-pushed"        // the service's load is not pushed
	CodeOtherSite        = "other-site"        // another site owns the service
	CodeOutdated         = "outdated"          // a later report was pushed before
	CodeHostNotLocal     = "host-not-local"    // the Host header names something else than this machine
	CodeCrossOrigin      = "cross-origin"      // a browser sent it on behalf of another origin
	CodeRequestTooLarge  = "request-too-large" // the body is above its limit
	CodeNothingServedYet = "not-ready"         // the node is still starting
	CodeTooSlow          = "too-slow"          // there was no answer in time
	CodeBusy             = "busy"              // as many requests of the kind are worked on, or wait, as may

	CodeSiteSilent          = "site-silent"            // the other site cannot be asked, or did not answer
	CodeNoSuchMeasurement   = "no-such-measurement"    // nothing was pushed for the prefix
	CodeTooMany             = "too-many"               // a limit is reached
	CodeNoSuchVirtualServer = "no-such-virtual-server" // the document has no virtual server of this name
	CodeNothingToEnd        = "nothing-to-end"         // there is no override, or no hold
	CodeNoSuchResolver      = "no-such-resolver"       // nothing is known of the resolver
	CodeNoSuchMonitor       = "no-such-monitor"        // the document has no monitor of this name
	CodeNoLoadSource        = "no-load-source"         // the service has no load source

	CodeNoSuchObject   = "no-such-object"   // the document has no object of this kind and name
	CodeNoSuchRevision = "no-such-revision" // the history does not have it, or not any more
	CodeNoSuchConflict = "no-such-conflict" // the object has no conflict, or not this side
	CodeStale          = "stale"            // the object or the document has changed since
	CodeReadOnly       = "read-only"        // documents are not written at this node
	CodeAnswersLost    = "answers-lost"     // names would lose their answers, and force was not said
	CodeNotStored      = "not-stored"       // the store cannot be written now
	CodeOutcomeUnknown = "outcome-unknown"  // it was sent to the store, which did not answer: it may have been stored
	CodeKeyReused      = "key-reused"       // the idempotency key was used for another request
	CodeNothingToKeep  = "nothing-to-keep"  // nothing waits to be confirmed
	CodeNotABackup     = "not-a-backup"     // the file is damaged, or of another program
)
