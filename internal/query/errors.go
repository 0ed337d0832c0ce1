package query

import "fmt"

// UsageError says that a Request cannot be sent as it is. Nothing went over the network.
type UsageError struct {
	Field  string // "name", "type", "server", "subnet" or "timeout"
	Value  string
	Reason string
}

// Error names the field, the value and the reason.
func (e *UsageError) Error() string {
	return fmt.Sprintf("cannot use %s %q: %s", e.Field, e.Value, e.Reason)
}

// UnreachableError says that no reply came: the server's name was not found, it refused the connection, or it was
// silent until the time was over.
type UnreachableError struct {
	Server    string // host:port
	Transport string // "udp" or "tcp"
	// Ignored counts datagrams that arrived but did not answer this query; LastIgnored says why the last one did not.
	Ignored     int
	LastIgnored string
	Err         error
}

// Error names server, transport and cause.
func (e *UnreachableError) Error() string {
	text := fmt.Sprintf("no reply from %s over %s: %v", e.Server, e.Transport, e.Err)
	if e.Ignored > 0 {
		text += fmt.Sprintf(" (%d replies ignored; the last one %s)", e.Ignored, e.LastIgnored)
	}
	return text
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// ReplyError says that the server replied over TCP, where nobody else can have, with something that is no reply to the
// query.
type ReplyError struct {
	Server string // host:port
	Reason string
}

// Error names server and reason.
func (e *ReplyError) Error() string {
	return fmt.Sprintf("unusable reply from %s: it %s", e.Server, e.Reason)
}
