package mep

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Limits of questions between sites.
const (
	// MaxAsk is the most bytes of a question's body, and of an answer's.
	MaxAsk = 64 << 10
	// AskTimeout is how long an answer is waited for.
	AskTimeout = 3 * time.Second

	askRate  = 10 // questions a second that a peer is answered
	askBurst = 20
	// maxAsking is how many questions of a session wait for their answers, and maxAsked how many of the peer's wait to be
	// answered.
	maxAsking = 16
	maxAsked  = 8
	// maxNotes is how many frames of questions and answers wait to be written.
	maxNotes = maxAsking + maxAsked + maxProbing
)

// AskKind is what a question asks for. The numbers are part of the protocol: append only.
type AskKind uint8

// Kinds of questions.
const (
	// AskExplain asks what a client would be answered at the site: body and answer are JSON (docs/api.md).
	AskExplain AskKind = 1
	// AskAgree asks for parts of what the site's answers follow from (docs/mep-protocol.md).
	AskAgree AskKind = 3
)

// known reports whether a kind is handed to Options.Answer.
func (k AskKind) known() bool { return k == AskExplain || k == AskAgree }

// Errors of Exchange.Ask.
var (
	// ErrNoSession says that the site is not connected, or not configured.
	ErrNoSession = errors.New("there is no session with the site")
	// ErrNotAnswered says that the site did not answer, or refused to.
	ErrNotAnswered = errors.New("the site did not answer")
)

// ask is the payload of Ask. Layout, big-endian:
//
//	0  8  number: chosen by who asks, not used twice in a session
//	8  1  kind: 1 explain, 2 probe, 3 agree; a receiver answers others with answerUnknown
//	9     body, at most MaxAsk
type ask struct {
	number uint64
	kind   AskKind
	body   []byte
}

// answerStatus is what became of a question. Unknown ones are failures.
type answerStatus uint8

const (
	answerDone    answerStatus = 0
	answerUnknown answerStatus = 1 // no such kind
	answerBusy    answerStatus = 2 // too many questions
	answerFailed  answerStatus = 3 // the body is text that says why
)

// answer is the payload of Answer. Layout, big-endian:
//
//	0  8  number of the question
//	8  1  status
//	9     body, at most MaxAsk
type answer struct {
	number uint64
	status answerStatus
	body   []byte
}

const askHeader = 9

func appendAsk(b []byte, number uint64, word uint8, body []byte) []byte {
	return append(append(binary.BigEndian.AppendUint64(b, number), word), body...)
}

// decodeAsk reads either payload. The body aliases it.
func decodeAsk(what FrameType, payload []byte) (number uint64, word uint8, body []byte, err error) {
	c := cursor{what: what.String(), b: payload}
	number, word = c.u64(), c.u8()
	if c.err == nil && len(payload)-askHeader > MaxAsk {
		return 0, 0, nil, refusef(RejectOversize, "decode %s: a body of %d bytes is above the limit of %d", what, len(payload)-askHeader, MaxAsk)
	}
	return number, word, c.take(max(len(payload)-askHeader, 0)), c.err
}

// note is a frame of this part that waits to be written.
type note struct {
	kind   FrameType
	encode func([]byte) []byte
}

// asking is a session's questions in both directions.
type asking struct {
	notes chan note
	asked chan ask // by the peer
	limit *rate.Limiter

	ctx     context.Context // ends with the session
	cancel  context.CancelFunc
	probing atomic.Int32 // probes for the peer that are under way, at most maxProbing

	mu        sync.Mutex
	answering bool // a goroutine answers
	last      uint64
	waiting   map[uint64]chan answer // at most maxAsking
}

func newAsking() *asking {
	ctx, cancel := context.WithCancel(context.Background())
	return &asking{notes: make(chan note, maxNotes), asked: make(chan ask, maxAsked), limit: rate.NewLimiter(askRate, askBurst),
		ctx: ctx, cancel: cancel, waiting: make(map[uint64]chan answer)}
}

// begin notes a question; nil when too many wait.
func (a *asking) begin() (uint64, chan answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) >= maxAsking {
		return 0, nil
	}
	a.last++
	c := make(chan answer, 1)
	a.waiting[a.last] = c
	return a.last, c
}

func (a *asking) end(number uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting, number)
}

// Ask asks a site something, and waits for the answer until ctx ends, at most AskTimeout. The error wraps ErrNoSession or
// ErrNotAnswered. Safe for concurrent use.
func (x *Exchange) Ask(ctx context.Context, site string, kind AskKind, body []byte) ([]byte, error) {
	if len(body) > MaxAsk {
		return nil, fmt.Errorf("ask site %q: %w: a question of %d bytes is above the limit of %d", site, ErrNotAnswered, len(body), MaxAsk)
	}
	x.mu.Lock()
	p := x.find(site)
	var s *session
	if p != nil {
		s = p.session
	}
	x.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("ask site %q: %w", site, ErrNoSession)
	}
	number, answered := s.asks.begin()
	if answered == nil {
		return nil, fmt.Errorf("ask site %q: %w: %d questions wait already", site, ErrNotAnswered, maxAsking)
	}
	defer s.asks.end(number)
	if !s.post(FrameAsk, func(b []byte) []byte { return appendAsk(b, number, uint8(kind), body) }) {
		return nil, fmt.Errorf("ask site %q: %w: too much waits to be sent", site, ErrNotAnswered)
	}
	timeout := time.NewTimer(AskTimeout)
	defer timeout.Stop()
	select {
	case a := <-answered:
		return a.result(site)
	case <-s.ending:
		return nil, fmt.Errorf("ask site %q: %w: the session ended", site, ErrNoSession)
	case <-ctx.Done():
		return nil, fmt.Errorf("ask site %q: %w", site, context.Cause(ctx))
	case <-timeout.C:
		return nil, fmt.Errorf("ask site %q: %w within %s; a release that answers no questions runs there, or it is busy", site, ErrNotAnswered, AskTimeout)
	}
}

func (a *answer) result(site string) ([]byte, error) {
	why := "it failed: " + printableText(string(a.body), MaxReason)
	switch a.status {
	case answerDone:
		return a.body, nil
	case answerUnknown:
		why = "it does not know this kind of question"
	case answerBusy:
		why = fmt.Sprintf("it is asked too much: %d questions a second are answered", askRate)
	}
	return nil, fmt.Errorf("ask site %q: %w: %s", site, ErrNotAnswered, why)
}

// post gives the writer a frame. It reports whether there was room.
func (s *session) post(kind FrameType, encode func([]byte) []byte) bool {
	select {
	case s.asks.notes <- note{kind, encode}:
		signal(s.wake)
		return true
	default:
		return false
	}
}

// handleAsk takes in a question. Nothing of a flood of them is kept: who asks hears that it is too much, or nothing.
func (s *session) handleAsk(payload []byte) error {
	number, kind, body, err := decodeAsk(FrameAsk, payload)
	if err != nil {
		return err
	}
	if !s.asks.limit.Allow() {
		s.reply(answer{number: number, status: answerBusy})
		return nil
	}
	if AskKind(kind) == AskProbe {
		s.handleProbe(number, string(body))
		return nil
	}
	select {
	case s.asks.asked <- ask{number, AskKind(kind), append([]byte(nil), body...)}:
		s.answerSoon()
	default:
		s.reply(answer{number: number, status: answerBusy})
	}
	return nil
}

func (s *session) reply(a answer) {
	s.post(FrameAnswer, func(b []byte) []byte { return appendAsk(b, a.number, uint8(a.status), a.body) })
}

// answerSoon has the peer's questions answered, by a goroutine of its own while there are some. It is called by the reading
// goroutine, so the session has not ended.
func (s *session) answerSoon() {
	s.asks.mu.Lock()
	defer s.asks.mu.Unlock()
	if !s.asks.answering {
		s.asks.answering = true
		s.helpers.Go(s.answerAsked)
	}
}

// answerAsked answers the peer's questions, one after the other, until there is none or the session ends.
func (s *session) answerAsked() {
	for !s.isEnding() {
		select {
		case q := <-s.asks.asked:
			s.reply(s.x.answer(s.peer.site, q))
			continue
		default:
		}
		s.asks.mu.Lock()
		idle := len(s.asks.asked) == 0
		s.asks.answering = !idle
		s.asks.mu.Unlock()
		if idle {
			return
		}
	}
}

func (x *Exchange) answer(site string, q ask) answer {
	if !q.kind.known() || x.opts.Answer == nil {
		return answer{number: q.number, status: answerUnknown}
	}
	body, err := x.opts.Answer(site, q.kind, q.body)
	switch {
	case err != nil:
		return answer{q.number, answerFailed, []byte(printableText(err.Error(), MaxReason))}
	case len(body) > MaxAsk:
		return answer{q.number, answerFailed, fmt.Appendf(nil, "the answer has %d bytes, above the limit of %d", len(body), MaxAsk)}
	}
	return answer{q.number, answerDone, body}
}

// handleAnswer hands an answer to who waits for it. One that nobody waits for any more is no fault.
func (s *session) handleAnswer(payload []byte) error {
	number, status, body, err := decodeAsk(FrameAnswer, payload)
	if err != nil {
		return err
	}
	s.asks.mu.Lock()
	defer s.asks.mu.Unlock()
	if c := s.asks.waiting[number]; c != nil {
		delete(s.asks.waiting, number)
		c <- answer{number, answerStatus(status), append([]byte(nil), body...)}
	}
	return nil
}
