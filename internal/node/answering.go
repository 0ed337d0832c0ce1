package node

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"fairlead/adns"
	"fairlead/adns/cookie"
)

// bindAgain is how long an answering waits before it tries once more to open its sockets.
const bindAgain = time.Second

// answering is the DNS server of a site that answers DNS only while the document says so: a child carries traffic, and has no
// sockets that could be asked. All methods are safe for concurrent use; Run is called once.
type answering struct {
	options adns.Options
	site    string
	log     *zap.Logger
	changed chan struct{} // capacity 1: wanted may have

	mu      sync.Mutex
	wanted  bool
	server  *adns.Server // the one that serves, or did last, or will next; never nil
	used    bool         // it ran: sockets need another one
	bound   bool         // it has sockets
	secrets []cookie.Secret
}

func newAnswering(o adns.Options, site string, wanted bool, log *zap.Logger) (*answering, error) {
	server, err := adns.New(o)
	if err != nil {
		return nil, err
	}
	return &answering{options: o, site: site, log: log, changed: make(chan struct{}, 1), wanted: wanted, server: server}, nil
}

// want says whether the site answers.
func (a *answering) want(wanted bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wanted == wanted {
		return
	}
	a.wanted = wanted
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// answers reports whether the site is to answer, and from which addresses it does.
func (a *answering) answers() (bool, []netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.wanted, a.addrs()
}

// addrs is Addrs with a.mu held.
func (a *answering) addrs() []netip.AddrPort {
	if !a.bound {
		return nil
	}
	return a.server.Addrs()
}

// Listen opens the sockets, if the site answers.
func (a *answering) Listen(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.wanted || a.bound {
		return nil
	}
	if a.used {
		next, err := adns.New(a.options)
		if err != nil {
			return err
		}
		if a.secrets != nil {
			err = next.SetCookieSecrets(a.secrets...)
		}
		if err != nil {
			return err
		}
		a.server, a.used = next, false
	}
	if err := a.server.Listen(ctx); err != nil {
		return err
	}
	a.bound = true
	return nil
}

// Close releases the sockets of one that will not Run.
func (a *answering) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.bound {
		return nil
	}
	a.bound = false
	return a.server.Close()
}

// Run answers while the site is to, until ctx ends. It fails when the sockets that it began with are lost, or cannot be opened;
// later it tries again.
func (a *answering) Run(ctx context.Context) error {
	first := true
	for ctx.Err() == nil {
		if wanted, _ := a.answers(); !wanted {
			a.log.Info("dns.off", zap.String("site", a.site), zap.String("why", "by the document this site does not answer DNS: it has no DNS sockets"))
			a.wait(ctx, nil)
			first = false
			continue
		}
		err := a.Listen(ctx)
		if err == nil {
			err = a.serve(ctx)
		}
		switch {
		case err == nil:
		case first:
			return err
		case ctx.Err() == nil:
			a.log.Error("dns.not_on", zap.Error(err), zap.String("then", "it is tried again"))
			timer := time.NewTimer(bindAgain)
			a.wait(ctx, timer.C)
			timer.Stop()
		}
		first = false
	}
	return nil
}

// wait returns when the role may have changed, at the latest when ctx or the timer ends.
func (a *answering) wait(ctx context.Context, timer <-chan time.Time) {
	select {
	case <-ctx.Done():
	case <-a.changed:
	case <-timer:
	}
}

// serve runs the server until the site is not to answer any more.
func (a *answering) serve(ctx context.Context) error {
	a.mu.Lock()
	server := a.server
	a.used = true
	a.mu.Unlock()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- server.Run(serving) }()
	defer func() {
		a.mu.Lock()
		a.bound = false
		a.mu.Unlock()
	}()
	for {
		select {
		case err := <-done:
			if err == nil && ctx.Err() == nil {
				err = errors.New("serve DNS: it ended by itself")
			}
			return err
		case <-a.changed:
			if wanted, _ := a.answers(); !wanted {
				stop()
				return <-done
			}
		}
	}
}

// Addrs, SecureAddrs, Stats, ReloadCertificates and SetCookieSecrets are those of adns.Server. What was counted begins anew with
// each time that the site answers.
func (a *answering) Addrs() []netip.AddrPort {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.addrs()
}

func (a *answering) SecureAddrs(t adns.Transport) []netip.AddrPort {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.bound {
		return nil
	}
	return a.server.SecureAddrs(t)
}

func (a *answering) current() *adns.Server {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.server
}

func (a *answering) Stats() adns.Stats { return a.current().Stats() }

func (a *answering) ReloadCertificates() error { return a.current().ReloadCertificates() }

func (a *answering) SetCookieSecrets(secrets ...cookie.Secret) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.server.SetCookieSecrets(secrets...); err != nil {
		return err
	}
	a.secrets = secrets
	return nil
}
