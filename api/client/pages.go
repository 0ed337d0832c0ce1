package client

import (
	"context"
	"fmt"
	"net/url"
)

const (
	pageSize = 1000
	// maxPages bounds how long a list is followed.
	maxPages = 1000
)

// list is a list that comes in pages.
type list struct {
	what, path string     // what is for people
	query      url.Values // without limit and cursor; it is changed
	most       int        // entries, all pages together; 0: all
}

// pages asks for one page after the other. add takes one in, and returns how many entries that makes and the cursor of the next.
func pages[T any](ctx context.Context, c *Client, l list, add func(page *T, first bool) (have int, next string)) error {
	have, next := 0, ""
	for n := range maxPages {
		limit := pageSize
		if l.most > 0 {
			limit = min(limit, l.most-have)
		}
		l.query.Set("limit", fmt.Sprint(limit))
		page, err := get[T](ctx, c, l.path, l.query)
		if err != nil {
			return err
		}
		if have, next = add(page, n == 0); next == "" || l.most > 0 && have >= l.most {
			return nil
		}
		l.query.Set("cursor", next)
	}
	return fmt.Errorf("list %s of %s: more than %d pages; narrow them down", l.what, c.base.Host, maxPages)
}
