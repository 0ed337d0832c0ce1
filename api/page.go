package api

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"fairlead/api/resource"
)

// A cursor is the last name of the page before, wrapped so that clients do not make their own. It stays good when objects
// come and go, because lists are by name.
func cursor(last string) string { return base64.RawURLEncoding.EncodeToString([]byte(last)) }

func readCursor(text string) (last string, err error) {
	name, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", fault("/query/cursor", resource.CodeInvalid, "this is not a cursor; take next_cursor of the page before, or start without one")
	}
	return string(name), nil
}

// nextLink is the Link header (RFC 8288) of the page after.
func (in *servicesInput) nextLink(next string) string {
	q := url.Values{"limit": {strconv.Itoa(in.Limit)}, "cursor": {next}}
	if in.Site != "" {
		q.Set("site", in.Site)
	}
	if len(in.State) > 0 {
		q.Set("state", strings.Join(in.State, ","))
	}
	return fmt.Sprintf("<%s?%s>; rel=\"next\"", servicesPath, q.Encode())
}
