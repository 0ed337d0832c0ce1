package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
)

const (
	// followInterval is how often the tokens file is looked at.
	followInterval = 2 * time.Second
	// maxCredentials bounds an Authorization header that is looked into.
	maxCredentials = 1024
)

// Options say who is known.
type Options struct {
	TokensFile string              // empty: there are no tokens
	Subjects   []config.APISubject // of client certificates, which the listener has verified
	Anonymous  Role                // of who says nothing on a connection from this machine
	RateLimit  int                 // requests a second of one identity; 0: no limit
	Logger     *zap.Logger         // nil: none
	// Changed is told after the file was read again, once it counts: all tokens, and which of them came and went by others than this Guard. It must not
	// call the Guard. Nil: nobody is.
	Changed func(all, added, removed []Token)
}

// Guard knows who may ask. Safe for concurrent use.
type Guard struct {
	opts     Options
	log      *zap.Logger
	tokens   atomic.Pointer[known]
	used     *usedTimes
	requests *meters // by identity; nil: no limit
	failures *meters // by client address

	mu      sync.Mutex
	seen    fileStamp
	refused string // why the file that was read last is not used
	ours    string // id of the token that this Guard is making or revoking
}

// New reads the tokens file, and fails when it cannot be used.
func New(o Options) (*Guard, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	g := &Guard{opts: o, log: o.Logger.Named("access"), failures: newMeters(maxFailures, maxFailures)}
	if o.RateLimit > 0 {
		g.requests = newMeters(float64(o.RateLimit), 2*o.RateLimit)
	}
	for i := range o.Subjects {
		if _, err := ParseRole(string(o.Subjects[i].Role)); err != nil {
			return nil, fmt.Errorf("read subject %d: %w", i+1, err)
		}
	}
	g.tokens.Store(&known{})
	if o.TokensFile == "" {
		return g, nil
	}
	g.seen = stampOf(o.TokensFile)
	k, err := readFile(o.TokensFile)
	if err != nil {
		return nil, err
	}
	g.tokens.Store(k)
	g.used = newUsedTimes(o.TokensFile+usedSuffix, g.log)
	return g, nil
}

// Authenticate returns who sent a request: nobody, who may what is public, when nothing was sent. Credentials that are wrong are a
// *Refusal also where none would do.
func (g *Guard) Authenticate(r *http.Request) (Identity, error) {
	return g.authenticate(r, time.Now())
}

func (g *Guard) authenticate(r *http.Request, now time.Time) (Identity, error) {
	if sent := r.Header.Values("Authorization"); len(sent) > 0 {
		return g.byToken(sent, now)
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return g.byCertificate(r.TLS.VerifiedChains[0][0], now)
	}
	if remote := remoteAddress(r); g.opts.Anonymous > NoRole && remote.IsLoopback() {
		return Identity{Name: "loopback", Kind: ByLoopback, Role: g.opts.Anonymous}, nil
	}
	return Identity{Kind: ByNothing}, nil
}

func (g *Guard) byToken(sent []string, now time.Time) (Identity, error) {
	scheme, text, _ := strings.Cut(sent[0], " ")
	if len(sent) > 1 || len(sent[0]) > maxCredentials || !strings.EqualFold(scheme, "Bearer") {
		return Identity{}, &Refusal{Reason: BadCredentials, Why: "send one header: Authorization: Bearer, and a token"}
	}
	sum, refusal := readSecret(strings.TrimSpace(text))
	if refusal != nil {
		return Identity{}, refusal
	}
	t, ok := g.tokens.Load().token(sum)
	if !ok {
		return Identity{}, &Refusal{Reason: UnknownToken, Why: "this token is not known here: it was revoked, or is of another site"}
	}
	if !t.Expires.IsZero() && !now.Before(t.Expires) {
		return Identity{}, &Refusal{Reason: ExpiredToken, Why: "the token expired at " + t.Expires.UTC().Format(time.RFC3339)}
	}
	role, err := ParseRole(t.Role)
	if err != nil {
		return Identity{}, &Refusal{Reason: UnknownToken, Why: err.Error()} // never: the file was checked
	}
	g.used.note(t.ID, now)
	return Identity{Name: t.Name, Kind: ByToken, Role: role, Labels: t.Labels, TokenID: t.ID}, nil
}

// token finds a token by its digest. Which digest is looked up says nothing of those that are there: it is a hash of what was sent.
func (k *known) token(sum digest) (*Token, bool) {
	i, ok := k.by[sum]
	if !ok {
		return nil, false
	}
	t := &k.tokens[i]
	return t, subtle.ConstantTimeCompare([]byte(strings.ToLower(t.SHA256)), []byte(sum.String())) == 1
}

// remoteAddress is the client's; the zero Addr when it is not known.
func remoteAddress(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// Reload reads the tokens file again. One that cannot be used is logged and returned as an error, and the tokens stay as they were.
func (g *Guard) Reload() error {
	if g.opts.TokensFile == "" {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = "" // who asks is told, also when it is what was told before
	return g.reload()
}

func (g *Guard) reload() error {
	g.seen = stampOf(g.opts.TokensFile) // before reading: what is written meanwhile is read at the next look
	k, err := readFile(g.opts.TokensFile)
	if err != nil {
		g.seen = fileStamp{} // what helps it, as chmod does, need not change the stamp
		if g.refused != err.Error() {
			g.refused = err.Error()
			g.log.Error("access.tokens_rejected", zap.Error(err), zap.String("then", "the tokens of before stay"))
		}
		return err
	}
	before := g.tokens.Swap(k)
	g.refused = ""
	if g.opts.Changed != nil {
		g.opts.Changed(k.tokens, g.others(before.tokens, k.tokens), g.others(k.tokens, before.tokens))
	}
	g.log.Info("access.tokens_reloaded", zap.String("file", g.opts.TokensFile), zap.Int("tokens", len(k.tokens)))
	return nil
}

// others is Missing without the token that this Guard makes or revokes.
func (g *Guard) others(first, second []Token) []Token {
	return slices.DeleteFunc(Missing(first, second), func(t Token) bool { return t.ID == g.ours })
}

// Missing lists the tokens of the second list that the first one has not, or has with other rights.
func Missing(first, second []Token) (out []Token) {
	by := make(map[string]*Token, len(first))
	for i := range first {
		by[first[i].ID] = &first[i]
	}
	for _, t := range second {
		o := by[t.ID]
		if o == nil || o.SHA256 != t.SHA256 || o.Role != t.Role || !maps.Equal(o.Labels, t.Labels) || !o.Expires.Equal(t.Expires) {
			out = append(out, t)
		}
	}
	return out
}

// change makes a change of the file and reads it, with nobody else doing so meanwhile.
func (g *Guard) change(do func() (Token, error)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	t, err := do()
	if err != nil {
		return err
	}
	g.ours = t.ID
	defer func() { g.ours = "" }()
	return g.reload()
}

// Run follows the tokens file, and keeps when tokens were used, until ctx ends. Then it returns nil.
func (g *Guard) Run(ctx context.Context) error {
	if g.opts.TokensFile == "" {
		<-ctx.Done()
		return nil
	}
	look, keep := time.NewTicker(followInterval), time.NewTicker(keepInterval)
	defer look.Stop()
	defer keep.Stop()
	for {
		select {
		case <-look.C:
			g.mu.Lock()
			if stampOf(g.opts.TokensFile) != g.seen {
				_ = g.reload() // it has been logged
			}
			g.mu.Unlock()
		case <-keep.C:
			g.used.keep(g.tokens.Load())
		case <-ctx.Done():
			g.used.keep(g.tokens.Load())
			return nil
		}
	}
}

// ErrNoTokens is the error when the node file names no tokens file.
var ErrNoTokens = errors.New("this node has no tokens: its node file names no api.tokens_file")

// Tokens returns all tokens, in the order of their file.
func (g *Guard) Tokens() ([]Token, error) {
	if g.opts.TokensFile == "" {
		return nil, ErrNoTokens
	}
	return slices.Clone(g.tokens.Load().tokens), nil
}

// Used returns when a token was used last: never, when that is zero.
func (g *Guard) Used(id string) time.Time { return g.used.of(id) }

// Create adds a token to the file; see the function of this name.
func (g *Guard) Create(s TokenSpec) (secret string, made Token, err error) {
	if g.opts.TokensFile == "" {
		return "", Token{}, ErrNoTokens
	}
	err = g.change(func() (Token, error) {
		secret, made, err = Create(g.opts.TokensFile, s, time.Now())
		return made, err
	})
	return secret, made, err
}

// Revoke takes a token out of the file; see the function of this name. From then on it is not known.
func (g *Guard) Revoke(idOrName string) (Token, error) {
	if g.opts.TokensFile == "" {
		return Token{}, ErrNoTokens
	}
	var gone Token
	err := g.change(func() (t Token, err error) {
		gone, err = Revoke(g.opts.TokensFile, idOrName)
		return gone, err
	})
	return gone, err
}
