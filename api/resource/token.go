package resource

import "time"

// Token is what is known of a token: not the token.
type Token struct {
	ID        string            `json:"id" doc:"What the node calls it."`
	Name      string            `json:"name" doc:"What people call it."`
	Role      string            `json:"role" doc:"viewer, operator or admin."`
	Labels    map[string]string `json:"labels,omitempty" doc:"It may change only objects that carry all of these. Absent: all."`
	Created   time.Time         `json:"created" doc:"When it was made."`
	CreatedBy string            `json:"created_by,omitempty" doc:"Who made it."`
	Expires   time.Time         `json:"expires,omitzero" doc:"When it ends. Absent: never."`
	LastUsed  time.Time         `json:"last_used,omitzero" doc:"When this node was asked with it last. Absent: never."`
}

// TokenList is all tokens of a node.
type TokenList struct {
	Tokens []Token `json:"tokens" nullable:"false" doc:"In the order they were made."`
}

// NewToken asks for a token.
type NewToken struct {
	Name    string            `json:"name" minLength:"1" maxLength:"127" doc:"What people call it; of no other token."`
	Role    string            `json:"role" enum:"viewer,operator,admin" doc:"What it may do."`
	Labels  map[string]string `json:"labels,omitempty" doc:"It may change only objects that carry all of these."`
	Expires time.Time         `json:"expires,omitzero" doc:"When it ends. Absent: never."`
}

// CreatedToken is a token that was made, the only time that it is shown.
type CreatedToken struct {
	Token
	Secret string `json:"secret" doc:"The token: send it as Authorization: Bearer. It is stored nowhere."`
}

// Identity is who asks.
type Identity struct {
	Name   string            `json:"name" doc:"Of the token, or of the certificate's subject; loopback for a connection from this machine without either."`
	Kind   string            `json:"kind" doc:"token, certificate or loopback."`
	Role   string            `json:"role" doc:"viewer, operator or admin."`
	Labels map[string]string `json:"labels,omitempty" doc:"Only objects that carry all of these may be changed."`
}
