package access

import (
	"context"
	"crypto/subtle"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is how somebody said who they are.
type Kind string

// Kinds of identities.
const (
	ByToken       Kind = "token"
	ByCertificate Kind = "certificate"
	ByLoopback    Kind = "loopback" // nothing was said, and the connection comes from this machine
	ByNothing     Kind = "none"     // nobody: only what is public
)

// Identity is who asks. It is immutable; the zero Identity is nobody.
type Identity struct {
	Name    string            // of the token, the certificate's subject or name, "loopback", or empty
	Kind    Kind              // how that is known
	Role    Role              // what they may do
	Labels  map[string]string // they may change only objects that carry all of these; nil: no such limit
	TokenID string            // of the token
}

// Limited reports whether the identity may only change objects with its labels.
func (i Identity) Limited() bool { return len(i.Labels) > 0 }

// May reports whether the identity may do something. labels are those of each object that is changed: as it is and as it will be; for an
// object that is made or deleted only one of these exists. An identity that is limited to labels is refused an Operate or Write without
// them: such an action is not about single objects. The error is a *Refusal.
func (i Identity) May(action Action, labels ...map[string]string) error {
	if err := i.Could(action); err != nil {
		return err
	}
	if !i.Limited() || action == Read || action == Public {
		return nil
	}
	if action == Administer || len(labels) == 0 {
		return i.limitedTo("this is not about single objects")
	}
	for _, l := range labels {
		if !carries(l, i.Labels) {
			return i.limitedTo("the object does not carry them, or would not afterwards")
		}
	}
	return nil
}

// Could reports whether the role allows an action on some object. Which objects these are is for May to say. The error is a
// *Refusal.
func (i Identity) Could(action Action) error {
	if needs := action.Needs(); i.Role < needs {
		if i.Role == NoRole {
			return &Refusal{Reason: NoCredentials, Why: "this needs the role " + needs.String() + ": send a token (Authorization: Bearer …) or show a client certificate"}
		}
		return &Refusal{Reason: RoleTooSmall, Why: fmt.Sprintf("this needs the role %s, and %q has %s", needs, i.Name, i.Role)}
	}
	if action == Administer && i.Limited() {
		return i.limitedTo("this is not about single objects")
	}
	return nil
}

func (i Identity) limitedTo(why string) error {
	return &Refusal{Reason: OutsideLabels, Why: fmt.Sprintf("%q may only change objects with the labels %s: %s", i.Name, ShowLabels(i.Labels), why)}
}

// carries reports whether an object has all of the wanted labels. It looks at all of them whatever the first says.
func carries(own, wanted map[string]string) bool {
	all := 1
	for key, value := range wanted {
		got, ok := own[key]
		if !ok {
			all = 0
		}
		all &= subtle.ConstantTimeCompare([]byte(got), []byte(value))
	}
	return all == 1
}

// ShowLabels writes labels for people: team=web, env=prod, by key.
func ShowLabels(labels map[string]string) string {
	out := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, key+"="+labels[key])
	}
	return strings.Join(out, ", ")
}

type contextKey struct{}

// WithIdentity returns a context of a request of somebody.
func WithIdentity(ctx context.Context, i Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, i)
}

// From returns who asks; the zero Identity, which may nothing, when the context does not say.
func From(ctx context.Context) Identity {
	i, _ := ctx.Value(contextKey{}).(Identity)
	return i
}
