//go:build integration && linux

package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const (
	sorryAddress = "203.0.113.250"
	answerLimit  = time.Second // longest time that an answer may take
	probePause   = 15 * time.Millisecond
)

// named is which address answers to each name while its service is believed to be UP.
var named = map[string]string{
	"web-ams": "192.0.2.80", "web-nyc": "198.51.100.80", "web-sin": "198.18.3.80", "web-shop": "198.18.4.80", "app-nyc": "198.51.100.81",
	"plain-ams": "192.0.2.90", "plain-nyc": "198.51.100.90", "plain-sin": "198.18.3.90", "plain-shop": "198.18.4.90",
}

// faultNames is what is asked: a name for each service, and one whose answer all sites compute alike.
var faultNames = []string{"web-ams", "web-nyc", "web-sin", "web-shop", "app-nyc", "plain-ams", "plain-nyc", "plain-sin", "plain-shop", "hash"}

// ask sends one query and returns the one address in the answer.
func (f *faultLab) ask(server, name string, limit time.Duration) (string, error) {
	conn, err := f.dialFrom(wan)(f.t.Context(), "udp", server)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return askOver(conn, name, limit)
}

func askOver(conn net.Conn, name string, limit time.Duration) (string, error) {
	m := new(dns.Msg).SetQuestion(name+"."+zoneName+".", dns.TypeA)
	c := &dns.Conn{Conn: conn}
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	if err := c.WriteMsg(m); err != nil {
		return "", err
	}
	for {
		reply, err := c.ReadMsg()
		if err != nil {
			return "", err
		}
		if reply.Id != m.Id {
			continue // of a query that was given up
		}
		if reply.Rcode != dns.RcodeSuccess || len(reply.Answer) != 1 {
			return "", fmt.Errorf("%s with %d records", dns.RcodeToString[reply.Rcode], len(reply.Answer))
		}
		a, ok := reply.Answer[0].(*dns.A)
		if !ok {
			return "", errors.New("not an address")
		}
		return a.A.String(), nil
	}
}

// tally is what a site's prober saw.
type tally struct {
	asked, missing, wrong int
	slowest               time.Duration
	late                  time.Duration // the prober's own: how much longer than it wanted it slept
	first                 string        // what was missing or wrong first
	lost                  map[string]*outage
}

// outage is how a service was missing from a site's answers.
type outage struct {
	times     int // how often it was lost
	since     time.Time
	total     time.Duration
	firstLost time.Time
	gone      bool
}

// prober asks every site that answers DNS for every name, again and again, until stop; then tallies are its result.
type prober struct {
	stop    chan struct{}
	done    sync.WaitGroup
	tallies map[string]*tally
}

func (f *faultLab) probe() *prober {
	f.t.Helper()
	p := &prober{stop: make(chan struct{}), tallies: map[string]*tally{}}
	for site, server := range answering {
		conn, err := f.dialFrom(wan)(f.t.Context(), "udp", server)
		if err != nil {
			f.t.Fatal(err)
		}
		t := &tally{lost: map[string]*outage{}}
		p.tallies[site] = t
		p.done.Go(func() {
			defer conn.Close()
			p.asking(conn, t)
		})
	}
	return p
}

// end stops the prober and returns what it saw.
func (p *prober) end() map[string]*tally {
	close(p.stop)
	p.done.Wait()
	for _, t := range p.tallies {
		for _, o := range t.lost {
			o.back(time.Now())
		}
	}
	return p.tallies
}

func (p *prober) asking(conn net.Conn, t *tally) {
	timer := time.NewTicker(probePause)
	defer timer.Stop()
	for n := 0; ; n++ {
		began := time.Now()
		select {
		case <-p.stop:
			return
		case <-timer.C:
		}
		t.late = max(t.late, time.Since(began)-probePause)
		t.one(conn, faultNames[n%len(faultNames)])
	}
}

// one asks one name once.
func (t *tally) one(conn net.Conn, name string) {
	began := time.Now()
	got, err := askOver(conn, name, answerLimit)
	t.asked++
	t.slowest = max(t.slowest, time.Since(began))
	switch {
	case err != nil:
		t.missing++
		t.remember("%s: %v", name, err)
	case name == "hash":
		if got == sorryAddress {
			t.wrong++
			t.remember("hash is answered by nobody")
		}
	case got == named[name]:
		if o := t.lost[name]; o != nil {
			o.back(began)
		}
	case got == sorryAddress:
		t.lose(name, began)
	default:
		t.wrong++
		t.remember("%s: %s", name, got)
	}
}

func (t *tally) remember(format string, args ...any) {
	if t.first == "" {
		t.first = fmt.Sprintf(format, args...)
	}
}

func (t *tally) lose(name string, at time.Time) {
	o := t.lost[name]
	if o == nil {
		o = &outage{firstLost: at}
		t.lost[name] = o
	}
	if !o.gone {
		o.gone, o.since = true, at
		o.times++
	}
}

func (o *outage) back(at time.Time) {
	if o.gone {
		o.gone = false
		o.total += at.Sub(o.since)
	}
}

// changes is what the sites' logs tell.
type changes struct {
	mu     sync.Mutex
	events []change
}

// change is a line of a log.
type change struct {
	at      time.Time
	node    string
	Message string `json:"msg"`
	Service string `json:"service"`
	Peer    string `json:"peer"`
	From    string `json:"from"`
	To      string `json:"to"`
	Reason  string `json:"reason"`
}

// of reads a site's log.
func (c *changes) of(node string) io.Writer {
	var rest []byte
	return writerFunc(func(b []byte) (int, error) {
		rest = append(rest, b...)
		for {
			line, after, whole := bytes.Cut(rest, []byte("\n"))
			if !whole {
				return len(b), nil
			}
			rest = after
			e := change{at: time.Now(), node: node}
			if json.Unmarshal(line, &e) == nil {
				c.mu.Lock()
				c.events = append(c.events, e)
				c.mu.Unlock()
			}
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// since returns what happened after a time.
func (c *changes) since(at time.Time) []change {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []change
	for _, e := range c.events {
		if e.at.After(at) {
			out = append(out, e)
		}
	}
	return out
}

// countChanges counts changes of a kind: changes of services without the one that really stops, in two classes, and sessions lost.
func countChanges(events []change) (monitored, plain, sessions int) {
	for _, e := range events {
		switch {
		case e.Message == "mep.session.down":
			sessions++
		case e.Message != "service.state" || e.Service == "app-nyc":
		case strings.HasPrefix(e.Service, "plain-"):
			plain++
		default:
			monitored++
		}
	}
	return monitored, plain, sessions
}

func TestChangesAreRead(t *testing.T) {
	c := &changes{}
	w := c.of("ams")
	for _, part := range []string{`{"level":"info","msg":"service.`, "state\",\"service\":\"plain-nyc\"}\nnoise\n", `{"msg":"mep.session.down"}` + "\n" + `{"msg":"service.state","service":"app-nyc"}` + "\n"} {
		if _, err := io.WriteString(w, part); err != nil {
			t.Fatal(err)
		}
	}
	if m, p, s := countChanges(c.since(time.Time{})); m != 0 || p != 1 || s != 1 {
		t.Errorf("got %d, %d and %d changes, want 0, 1 and 1", m, p, s)
	}
}
