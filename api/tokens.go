package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/internal/access"
	"fairlead/internal/audit"
)

const (
	tokensPath   = "/v1/tokens"
	identityPath = "/v1/identity"
)

type tokensInput struct{}

// Resolve refuses query parameters.
func (in *tokensInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type tokensOutput struct{ Body resource.TokenList }

type newTokenInput struct{ Body resource.NewToken }

// Resolve refuses query parameters.
func (in *newTokenInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type newTokenOutput struct{ Body resource.CreatedToken }

type revokeInput struct {
	ID string `path:"id" maxLength:"127" doc:"Id or name of the token."`
}

// Resolve refuses query parameters.
func (in *revokeInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type tokenOutput struct{ Body resource.Token }

type identityOutput struct{ Body resource.Identity }

func (r *resources) registerTokens(rest huma.API) {
	problems := []int{http.StatusConflict, http.StatusUnprocessableEntity}
	writing := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	register(r, rest, huma.Operation{OperationID: "get-identity", Method: http.MethodGet, Path: identityPath, Tags: []string{"access"},
		Summary: "Who asks, and what they may do"}, []int{http.StatusUnprocessableEntity}, r.identity)
	register(r, rest, huma.Operation{OperationID: "list-tokens", Method: http.MethodGet, Path: tokensPath, Tags: []string{"access"},
		Summary: "Tokens of this node"}, problems, r.tokens)
	register(r, rest, huma.Operation{OperationID: "create-token", Method: http.MethodPost, Path: tokensPath, Tags: []string{"access"},
		Summary: "Make a token, which is shown once", DefaultStatus: http.StatusOK}, writing, r.createToken)
	register(r, rest, huma.Operation{OperationID: "revoke-token", Method: http.MethodDelete, Path: tokensPath + "/{id}", Tags: []string{"access"},
		Summary: "Revoke a token", DefaultStatus: http.StatusOK}, writing, r.revokeToken)
}

func (r *resources) identity(ctx context.Context, _ *tokensInput) (*identityOutput, error) {
	who := access.From(ctx)
	return &identityOutput{resource.Identity{Name: who.Name, Kind: string(who.Kind), Role: who.Role.String(), Labels: who.Labels}}, nil
}

func (r *resources) tokens(context.Context, *tokensInput) (*tokensOutput, error) {
	if r.Access == nil {
		return nil, tokenProblem(access.ErrNoTokens)
	}
	tokens, err := r.Access.Tokens()
	if err != nil {
		return nil, tokenProblem(err)
	}
	out := &tokensOutput{resource.TokenList{Tokens: make([]resource.Token, len(tokens))}}
	for i := range tokens {
		out.Body.Tokens[i] = r.describeToken(&tokens[i])
	}
	return out, nil
}

func (r *resources) createToken(ctx context.Context, in *newTokenInput) (*newTokenOutput, error) {
	if r.Access == nil {
		return nil, tokenProblem(access.ErrNoTokens)
	}
	role, err := access.ParseRole(in.Body.Role)
	if err != nil {
		return nil, tokenProblem(err)
	}
	spec := access.TokenSpec{Name: in.Body.Name, Role: role, Labels: in.Body.Labels, Expires: in.Body.Expires, CreatedBy: access.From(ctx).Name}
	if err := spec.Check(time.Now()); err != nil {
		return nil, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/body", Code: resource.CodeInvalid, Detail: err.Error()})
	}
	entry := audit.Entry{Action: "create-token", Object: "token/" + spec.Name, Reason: grants(&spec)}
	if err := r.audited(ctx, entry); err != nil {
		return nil, err
	}
	secret, made, err := r.Access.Create(spec)
	if err != nil {
		r.auditFailed(ctx, entry, err)
		return nil, tokenProblem(err)
	}
	return &newTokenOutput{resource.CreatedToken{Token: r.describeToken(&made), Secret: secret}}, nil
}

// grants says what a token will let its owner do.
func grants(s *access.TokenSpec) string {
	text := "role " + s.Role.String()
	if len(s.Labels) > 0 {
		text += ", labels " + access.ShowLabels(s.Labels)
	}
	if !s.Expires.IsZero() {
		text += ", until " + s.Expires.UTC().Format(time.RFC3339)
	}
	return text
}

func (r *resources) revokeToken(ctx context.Context, in *revokeInput) (*tokenOutput, error) {
	if r.Access == nil {
		return nil, tokenProblem(access.ErrNoTokens)
	}
	entry := audit.Entry{Action: "revoke-token", Object: "token/" + in.ID}
	if err := r.audited(ctx, entry); err != nil {
		return nil, err
	}
	gone, err := r.Access.Revoke(in.ID)
	if err != nil {
		r.auditFailed(ctx, entry, err)
		return nil, tokenProblem(err)
	}
	return &tokenOutput{r.describeToken(&gone)}, nil
}

// tokenProblem is what went wrong with tokens, for who asked.
func tokenProblem(err error) error {
	conflict := func(pointer, code string) error {
		return newProblem(http.StatusConflict, resource.Fault{Pointer: pointer, Code: code, Detail: err.Error()})
	}
	switch {
	case errors.Is(err, access.ErrNoTokens):
		return conflict("/path", resource.CodeNoTokens)
	case errors.Is(err, access.ErrNameTaken):
		return conflict("/body/name", resource.CodeNameTaken)
	case errors.Is(err, access.ErrTooManyTokens):
		return conflict("/body", resource.CodeTooMany)
	case errors.Is(err, access.ErrNoSuchToken):
		return newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path/id", Code: resource.CodeNoSuchToken, Detail: err.Error()})
	}
	return err
}

func (r *resources) describeToken(t *access.Token) resource.Token {
	return resource.Token{ID: t.ID, Name: t.Name, Role: t.Role, Labels: t.Labels, Created: t.Created, CreatedBy: t.CreatedBy, Expires: t.Expires,
		LastUsed: r.Access.Used(t.ID)}
}
