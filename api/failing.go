package api

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// maxFailure is the most octets of a failure that are shown: it may be in the words of other servers.
const maxFailure = 1024

// failingInput asks for a list by name of what is tried again and again, and may fail.
type failingInput struct {
	Failing bool `query:"failing" doc:"Only entries whose last attempt failed."`
	// The cursor is opaque to clients. A name of 255 octets has up to 1004 characters when all of them are escaped.
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Most entries on a page."`
	Cursor string `query:"cursor" maxLength:"1400" doc:"next_cursor of the page before."`

	after string // name that the page before ended with; set by Resolve
}

// Resolve refuses what is not a parameter here, and what is not a cursor.
func (in *failingInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	var err error
	if in.after, err = readCursor(in.Cursor); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// nextLink is the Link header (RFC 8288) of the page after.
func (in *failingInput) nextLink(path, next string) string {
	q := url.Values{"limit": {strconv.Itoa(in.Limit)}, "cursor": {next}}
	if in.Failing {
		q.Set("failing", "true")
	}
	return fmt.Sprintf("<%s?%s>; rel=\"next\"", path, q.Encode())
}

// shownFailure bounds a failure.
func shownFailure(text string) string {
	if len(text) > maxFailure {
		return strings.ToValidUTF8(text[:maxFailure], "") + "..."
	}
	return text
}
