package resource

// Problem is why a request was not done (RFC 9457). Type is always "about:blank": Status and the codes in Errors tell
// problems apart.
type Problem struct {
	Type   string  `json:"type" doc:"Always about:blank."`
	Title  string  `json:"title" doc:"The status in words."`
	Status int     `json:"status" doc:"The HTTP status."`
	Detail string  `json:"detail" doc:"What was wrong with this request."`
	Errors []Fault `json:"errors,omitempty" nullable:"false" doc:"Everything that was found wrong, all at once."`
}

// Fault is one thing that is wrong with a request.
type Fault struct {
	// Pointer says where, in the manner of a JSON Pointer (RFC 6901) whose first part is path, query, header or body.
	Pointer string `json:"pointer" doc:"Where: a JSON Pointer whose first part is path, query, header or body."`
	Code    string `json:"code" doc:"Stable word for what is wrong."`
	Detail  string `json:"detail" doc:"What is wrong and what to do, for people."`
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
)
