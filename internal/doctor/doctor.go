package doctor

import (
	"context"
	"fmt"
	"net"
	"time"

	"fairlead/api/client"
	"fairlead/config"
)

const (
	// DefaultTimeout bounds all checks together.
	DefaultTimeout = 10 * time.Second
	// maxParallel is how many checks run at a time.
	maxParallel = 8
	// loadShare is the part of the time that each may take of: reading the node file, asking the node, finding the document.
	loadShare = 4
)

// Options say what is looked at. One of Config and API is needed.
type Options struct {
	Config string // path of a node file; empty: what is on this machine is not looked at
	// API is the interface of the running node; nil: it is not asked. Expected says that the operator named it, so that it has to answer.
	API      *client.Client
	Expected bool
	// Resolvers find the name servers of parent zones, as address:port. Empty: those of ResolvConf.
	Resolvers  []string
	ResolvConf string // empty: /etc/resolv.conf
	Timeout    time.Duration
	Version    string // of this command

	// Dial opens connections to DNS servers, other sites and etcd; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Now  func() time.Time // nil: time.Now
}

// Run makes all checks and returns when they have ended, or when the time is up: what has not ended by then is reported as a warning. A file system that
// hangs is not waited for. It may be called from any number of goroutines.
func Run(ctx context.Context, o Options) *Report {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.ResolvConf == "" {
		o.ResolvConf = "/etc/resolv.conf"
	}
	began := o.Now()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	p := &patient{o: o}
	checks := p.meet(ctx)
	checks = append(checks, examine(ctx, p.examinations())...)
	return newReport(began, p.site(), checks)
}

// patient is what is known of the site before the checks begin; it does not change while they run.
type patient struct {
	o    Options
	node *config.Node     // nil: there is no node file, or it is wrong
	doc  *config.Document // nil: none was found
	live *live            // nil: no node answers
}

// site is the name of the node's site; empty: it is not known.
func (p *patient) site() string {
	switch {
	case p.node != nil:
		return p.node.Site
	case p.live != nil:
		return p.live.site
	}
	return ""
}

// meet finds out what there is to check.
func (p *patient) meet(ctx context.Context) []Check {
	share := func(look func(context.Context) []Check) []Check {
		ctx, cancel := context.WithTimeout(ctx, p.o.Timeout/loadShare)
		defer cancel()
		return look(ctx)
	}
	checks := share(p.meetNode)
	asked := share(p.askNode)
	return append(append(checks, share(p.meetDocument)...), asked...)
}

func (p *patient) meetNode(ctx context.Context) []Check {
	type read struct {
		node   *config.Node
		checks []Check
	}
	r, ended := within(ctx, func() (r read) { r.node, r.checks = p.readNode(); return r })
	if !ended {
		f := &findings{check: "configuration"}
		f.add(Failed, p.o.Config, "it, or a file that it names, was not read in time", "the node does not start while reading does not end", "is one of them a pipe, or on a file system that hangs? A longer --timeout waits longer")
		return f.all()
	}
	p.node = r.node
	return r.checks
}

func (p *patient) meetDocument(ctx context.Context) []Check {
	type read struct {
		doc    *config.Document
		checks []Check
	}
	r, ended := within(ctx, func() (r read) { r.doc, r.checks = p.findDocument(ctx); return r })
	if !ended {
		f := &findings{check: "document"}
		f.add(Warning, "", "it was not read in time", unseen, "ask again with a longer --timeout")
		return f.all()
	}
	p.doc = r.doc
	return r.checks
}

// within runs what may not end, such as a read of a file system that hangs, and waits for it as long as ctx lasts.
func within[T any](ctx context.Context, run func() T) (result T, ended bool) {
	done := make(chan T, 1)
	go func() { done <- run() }()
	select {
	case result = <-done:
		return result, true
	case <-ctx.Done():
		return result, false
	}
}

// examination is one kind of check.
type examination struct {
	name string
	run  func(ctx context.Context, f *findings)
}

// examinations are all that can be made of this patient, in the order of the report.
func (p *patient) examinations() []examination {
	var list []examination
	if p.node != nil {
		list = append(list, examination{"secrets", p.secrets}, examination{"certificates", p.certificates}, examination{"tokens", p.tokens},
			examination{"data-dir", p.dataDir}, examination{"store", p.store}, examination{"sockets", p.sockets},
			examination{"receive-buffer", p.receiveBuffer}, examination{"open-files", p.openFiles}, examination{"ping", p.ping})
	}
	list = append(list, examination{"clock", p.clock},
		examination{"delegation", p.delegation}, examination{"peers", p.peers}, examination{"etcd", p.etcd})
	if p.live != nil {
		list = append(list, p.live.examinations(p.o)...)
	}
	return list
}

// examine runs examinations side by side and returns what they found, in order.
func examine(ctx context.Context, list []examination) []Check {
	slots := make(chan struct{}, maxParallel)
	results := make([]chan []Check, len(list))
	for n, e := range list {
		results[n] = make(chan []Check, 1)
		go func() {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done():
				return
			}
			f := &findings{check: e.name}
			e.run(ctx, f)
			results[n] <- f.all()
		}()
	}
	var out []Check
	for n, e := range list {
		out = append(out, await(ctx, e, results[n])...)
	}
	return out
}

// graceAfter is how long a check has after the end of its context to say what it saw until then.
const graceAfter = 250 * time.Millisecond

func await(ctx context.Context, e examination, result <-chan []Check) []Check {
	select {
	case checks := <-result:
		return checks
	case <-ctx.Done():
	}
	grace := time.NewTimer(graceAfter)
	defer grace.Stop()
	select {
	case checks := <-result:
		return checks
	case <-grace.C:
		f := &findings{check: e.name}
		f.timeUp("")
		return f.all()
	}
}

// errText is an error without what the reader knows already.
func errText(err error) string { return fmt.Sprint(err) }
