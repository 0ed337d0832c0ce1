package transfer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// Limits of NOTIFY that is sent (RFC 1996).
const (
	// MaxNotices is how many NOTIFY can wait. Further ones are not sent: the secondary finds out by its refresh timer.
	MaxNotices = 100_000
	// maxNotifying is how many are under way at once.
	maxNotifying = 128
	notifyTries  = 5
	// The time for an answer doubles from try to try, and varies by a fifth so that targets are not asked in step.
	firstNotifyWait = 2 * time.Second
	maxNotifyWait   = 60 * time.Second
	notifyJitter    = 0.2
)

// notice is a NOTIFY that a target has not answered yet.
type notice struct {
	id, zone string
	target   target
}

// notices is the queue of Run.
type notices struct {
	mu      sync.Mutex
	pending map[notice]*dns.SOA // what to tell; replaced when the zone changes again
	order   []notice            // not begun
	wake    chan struct{}       // capacity 1
}

// add queues what a new version of a zone must tell. What there is no room for is dropped.
func (n *notices) add(v *version) (dropped int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pending == nil {
		n.pending = map[notice]*dns.SOA{}
	}
	for _, t := range v.rules.notify {
		id := notice{v.rules.id, v.rules.name, t}
		if _, waits := n.pending[id]; !waits {
			if len(n.pending) >= MaxNotices {
				dropped++
				continue
			}
			n.order = append(n.order, id)
		}
		n.pending[id] = v.zone.SOA()
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
	return dropped
}

// next takes the oldest notice that was not begun.
func (n *notices) next() (notice, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.order) == 0 {
		return notice{}, false
	}
	id := n.order[0]
	n.order = n.order[1:]
	return id, true
}

func (n *notices) current(id notice) *dns.SOA {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pending[id]
}

// done removes a notice, unless there is something newer to tell.
func (n *notices) done(id notice, told *dns.SOA) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pending[id] != told {
		return false
	}
	delete(n.pending, id)
	return true
}

// Run sends NOTIFY until ctx ends. It returns nil when all it started has ended.
func (t *Transfers) Run(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(maxNotifying)
	for {
		for id, ok := t.notices.next(); ok && ctx.Err() == nil; id, ok = t.notices.next() {
			group.Go(func() error {
				t.deliver(ctx, id)
				return nil
			})
		}
		select {
		case <-ctx.Done():
			return group.Wait()
		case <-t.notices.wake:
		}
	}
}

// deliver tells one target until it answers, or the tries are used up.
func (t *Transfers) deliver(ctx context.Context, id notice) {
	for {
		soa := t.notices.current(id)
		err := t.tell(ctx, id, soa)
		if ctx.Err() != nil {
			return
		}
		if !t.notices.done(id, soa) {
			continue // it changed again in the meantime
		}
		if err != nil {
			t.unanswered.Add(1)
			t.log.Warn("dns.notify.failed", zap.String("zone", id.id), zap.String("target", id.target.address), zap.Error(err))
			return
		}
		t.notified.Add(1)
		return
	}
}

// tell tries several times to get an answer.
func (t *Transfers) tell(ctx context.Context, id notice, soa *dns.SOA) error {
	wait := firstNotifyWait
	var err error
	for range notifyTries {
		try, cancel := context.WithTimeout(ctx, jittered(wait, notifyJitter))
		err = t.notifyOnce(try, id, soa)
		if err == nil || errors.Is(err, errAnswered) {
			cancel()
			return err
		}
		<-try.Done() // also after an error that came at once
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait = min(2*wait, maxNotifyWait)
	}
	return fmt.Errorf("no answer to %d tries: %w", notifyTries, err)
}

// errAnswered says that there is an answer, and that trying again will not change it.
var errAnswered = errors.New("the target refuses")

// notifyOnce sends one NOTIFY and waits for its answer until ctx ends. What is no answer to it is ignored.
func (t *Transfers) notifyOnce(ctx context.Context, id notice, soa *dns.SOA) error {
	m := new(dns.Msg)
	m.SetNotify(id.zone)
	m.Answer = []dns.RR{soa}
	request, check, err := t.keys.request(m, id.target.key, t.now)
	if err != nil {
		return errors.Join(errAnswered, err)
	}
	conn, err := t.dial(ctx, "udp", id.target.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(request); err != nil {
		return err
	}
	buf := make([]byte, maxMessage)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		answer := new(dns.Msg)
		if answer.Unpack(buf[:n]) != nil || answer.Id != m.Id || !answer.Response || answer.Opcode != dns.OpcodeNotify {
			continue
		}
		try := check
		if err = try.check(buf[:n]); err != nil && answer.Rcode == dns.RcodeSuccess {
			continue // a forger does not end the wait
		}
		if answer.Rcode != dns.RcodeSuccess {
			return fmt.Errorf("%w: %s", errAnswered, rcodeName(answer.Rcode))
		}
		return nil
	}
}

// request packs and signs a request; answers are checked with a copy of the checker.
func (k *Keys) request(m *dns.Msg, key string, now func() time.Time) ([]byte, checker, error) {
	packed, err := m.Pack()
	if err != nil {
		return nil, checker{}, fmt.Errorf("pack request: %w", err)
	}
	if key == "" {
		return packed, checker{}, nil
	}
	secret := k.Find(key)
	if secret == nil {
		return nil, checker{}, fmt.Errorf("TSIG key %q is not in dns.tsig_keys of the node file", key)
	}
	signed, mac, err := secret.signRequest(packed, now())
	return signed, checker{key: secret, prior: mac, now: now}, err
}

func rcodeName(rcode int) string {
	if name, ok := dns.RcodeToString[rcode]; ok {
		return name
	}
	return fmt.Sprintf("rcode %d", rcode)
}

// jittered varies a time by a share either way.
func jittered(d time.Duration, share float64) time.Duration {
	return time.Duration(float64(d) * (1 + share*(2*rand.Float64()-1)))
}
