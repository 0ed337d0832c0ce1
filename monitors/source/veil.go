package source

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"

	"fairlead/monitors/reason"
)

const (
	veiled = "***"
	// Where a quotation was cut off, so much of a secret is taken for its beginning. No quotation is longer.
	leastCut, mostCut = 4, 256
)

// veil keeps the secrets that one read sends out of what is told of it: some servers repeat what they were sent.
type veil struct{ hidden []string }

type veilKey struct{}

func withVeil(ctx context.Context) (context.Context, *veil) {
	v := new(veil)
	return context.WithValue(ctx, veilKey{}, v), v
}

// hide has a secret shown nowhere, in a read whose context it is.
func hide(ctx context.Context, secret string) {
	v, ok := ctx.Value(veilKey{}).(*veil)
	if !ok {
		return
	}
	// As it is, between quotation marks, and between those of a document that is quoted.
	for range 3 {
		if secret != "" && !slices.Contains(v.hidden, secret) {
			v.hidden = append(v.hidden, secret)
		}
		quoted := strconv.Quote(secret)
		secret = quoted[1 : len(quoted)-1]
	}
	slices.SortFunc(v.hidden, func(a, b string) int { return len(b) - len(a) })
}

// hideBasic hides a password as HTTP sends it, too.
func hideBasic(ctx context.Context, user, password string) {
	hide(ctx, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	hide(ctx, password)
}

// text is a text without what is hidden, nor its beginning where the text was cut off.
func (v *veil) text(text string) string {
	for _, secret := range v.hidden {
		text = strings.ReplaceAll(text, secret, veiled)
	}
	for _, secret := range v.hidden {
		for n := min(len(secret)-1, mostCut); n >= leastCut; n-- {
			text = strings.ReplaceAll(text, secret[:n]+`"...`, veiled+`"...`)
			text = strings.ReplaceAll(text, secret[:n]+`...`, veiled+`...`)
		}
	}
	return text
}

// error is an error without what is hidden. What it wraps, by which kinds of errors are told apart, stays.
func (v *veil) error(err error) error {
	if err == nil {
		return nil
	}
	text := v.text(err.Error())
	if text == err.Error() {
		return err
	}
	if at, ok := errors.AsType[*reason.StageError](err); ok { // of which reasons show what is inside
		return reason.During(at.Stage, &veiledError{v.text(at.Err.Error()), at.Err})
	}
	return &veiledError{text, err}
}

// veiledError is an error in other words.
type veiledError struct {
	text string
	err  error
}

func (e *veiledError) Error() string { return e.text }
func (e *veiledError) Unwrap() error { return e.err }
