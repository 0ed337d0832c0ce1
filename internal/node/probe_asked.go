package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"fairlead/mep"
	"fairlead/sites"
)

// When a probe of a service with a quorum fails, this site has the others that are asked about it probe now, rather than wait for their
// intervals: they may agree as soon as this one's own monitors have seen enough. What they answer are their votes, as views are.

const (
	// maxRounds is how many services are asked about at one time, and as many wait; about more, others' own intervals tell.
	maxRounds = 16
	// freshEnough is how old a result may be for another site's question.
	freshEnough = time.Second
	// probesAsked is how many probes a second are run for all other sites together, and burstAsked at once.
	probesAsked, burstAsked = 50, 100
	// maxVotesAwaited is how many questions wait for the next snapshot.
	maxVotesAwaited = 1024
)

var (
	errProbedTooMuch = errors.New("too many probes are asked for")
	errEnding        = errors.New("this node ends")
)

// inquiry is one service that others are to probe.
type inquiry struct {
	service string
	sites   []string
}

// inquiries asks other sites to probe services.
type inquiries struct {
	log  *zap.Logger
	ask  func(ctx context.Context, site, service string) (mep.ProbeAnswer, error)
	tell func(event any) // the publisher
	todo chan inquiry
	rate *rate.Limiter // of what others ask for

	mu      sync.Mutex
	current map[string]bool // services that are being asked about, or wait for it
}

func newInquiries(p *publisher) *inquiries {
	q := &inquiries{log: p.node.log, tell: p.send, todo: make(chan inquiry, maxRounds),
		rate: rate.NewLimiter(probesAsked, burstAsked), current: make(map[string]bool, 2*maxRounds)}
	q.ask = func(ctx context.Context, site, service string) (mep.ProbeAnswer, error) {
		return p.node.exchange.AskProbe(ctx, site, service)
	}
	return q
}

// begin has sites asked, unless they are already, or too many services wait. It does not block.
func (q *inquiries) begin(i inquiry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.current[i.service] {
		return
	}
	select {
	case q.todo <- i:
		q.current[i.service] = true
	default:
	}
}

// run asks until ctx ends.
func (q *inquiries) run(ctx context.Context) {
	var rounds errgroup.Group
	rounds.SetLimit(maxRounds)
	for {
		select {
		case <-ctx.Done():
			_ = rounds.Wait() // they return no errors
			return
		case i := <-q.todo:
			rounds.Go(func() error {
				q.round(ctx, i)
				return nil
			})
		}
	}
}

// round asks all sites about one service.
func (q *inquiries) round(ctx context.Context, i inquiry) {
	var asked sync.WaitGroup
	for _, site := range i.sites {
		asked.Go(func() {
			a, err := q.ask(ctx, site, i.service)
			if err != nil {
				q.log.Debug("quorum.not_answered", zap.String("peer", site), zap.String("service", i.service), zap.Error(err))
				return
			}
			q.tell(&probeAnswered{site: site, service: i.service, answer: a, at: time.Now()})
		})
	}
	asked.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.current, i.service)
}

// probeAnswered is what another site saw, for the publisher.
type probeAnswered struct {
	site, service string
	answer        mep.ProbeAnswer
	at            time.Time
}

// voteAsked is a question for what this site sees, as of the next snapshot, which others are told of, too.
type voteAsked struct {
	service string
	reply   chan<- mep.ProbeAnswer // capacity 1
}

// probeForSite probes a service because another site asks for it.
func (p *publisher) probeForSite(ctx context.Context, site, service string) (mep.ProbeAnswer, error) {
	if !p.inquiries.rate.Allow() {
		return mep.ProbeAnswer{}, errProbedTooMuch
	}
	if err := p.node.probes.ProbeNow(ctx, service, freshEnough); err != nil {
		return mep.ProbeAnswer{}, fmt.Errorf("for site %q: %w", site, err)
	}
	reply := make(chan mep.ProbeAnswer, 1)
	p.send(&voteAsked{service, reply})
	select {
	case a := <-reply:
		return a, nil
	case <-p.ended:
		return mep.ProbeAnswer{}, errEnding
	case <-ctx.Done():
		return mep.ProbeAnswer{}, fmt.Errorf("for site %q: %w", site, context.Cause(ctx))
	}
}

// inquire has other sites asked after a probe, if they are to be.
func (p *publisher) inquire(i *sites.Inquiry) {
	if i != nil && p.node.exchange != nil {
		p.inquiries.begin(inquiry{i.Service, i.Sites})
	}
}

// takeVote takes in a question for, or an answer of, what a site sees.
func (p *publisher) takeVote(event any) urgency {
	switch e := event.(type) {
	case *voteAsked:
		if len(p.awaited) < maxVotesAwaited {
			p.awaited = append(p.awaited, e)
		}
		return states
	case *probeAnswered:
		return ifChanged(p.tracker.Answered(e.site, e.service, &e.answer, e.at))
	}
	return soon
}

// answerVotes answers who asked, as of the snapshot that was just made.
func (p *publisher) answerVotes(now time.Time) {
	for _, e := range p.awaited {
		e.reply <- p.tracker.Vote(e.service, now)
	}
	p.awaited = p.awaited[:0]
}
