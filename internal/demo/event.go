package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/sites"
)

// eventQueue is how many events may wait to be printed. A terminal that takes none must not hold up a site, so further
// ones are counted and dropped.
const eventQueue = 1024

// event is one line of what happens.
type event struct {
	At      time.Time
	Name    string // stable: "service.down"
	Subject string
	Text    string // what it means, for people
}

// Escape sequences of a terminal (ECMA-48 section 8.3.117).
const (
	colourBad   = "\x1b[31m"
	colourGood  = "\x1b[32m"
	colourStory = "\x1b[33m"
	colourOff   = "\x1b[0m"
)

// line is the event as it is printed, without a line end.
func (e event) line(colour bool) string {
	name := fmt.Sprintf("%-14s", e.Name)
	if colour {
		name = colourOf(e.Name) + name + colourOff
	}
	return fmt.Sprintf("%s %s %-6s %s", e.At.Format(time.TimeOnly), name, e.Subject, e.Text)
}

func colourOf(name string) string {
	switch {
	case strings.HasPrefix(name, "story."):
		return colourStory
	case strings.HasSuffix(name, ".up"):
		return colourGood
	}
	return colourBad
}

// serviceEvent describes what a site came to believe of a service. states is what it believes of all of them now.
func serviceEvent(observer string, doc *config.Document, states map[string]gslb.State, t sites.Transition) event {
	return event{
		At: t.At, Name: "service." + strings.ToLower(t.To.String()), Subject: t.Service,
		Text: fmt.Sprintf("at %s: %s -> %s", observer, t.Reason, effect(doc, states, t)),
	}
}

// effect says what a transition did to the names that the service answers: "www, api: 5 of 6 left; dr: 1 of 2 left".
func effect(doc *config.Document, states map[string]gslb.State, t sites.Transition) string {
	word := "left"
	if t.To == gslb.Up {
		word = "up"
	}
	names := map[string][]string{} // by what is left
	var order []string
	for i := range doc.VirtualServers {
		v := &doc.VirtualServers[i]
		up, member := 0, false
		for _, m := range v.Members {
			member = member || m.Service == t.Service
			if states[m.Service] == gslb.Up {
				up++
			}
		}
		if !member {
			continue
		}
		key := fmt.Sprintf("%d of %d %s", up, len(v.Members), word)
		if names[key] == nil {
			order = append(order, key)
		}
		names[key] = append(names[key], v.Name)
	}
	parts := make([]string, len(order))
	for i, key := range order {
		parts[i] = strings.Join(names[key], ", ") + ": " + key
	}
	return strings.Join(parts, "; ")
}

// peerEvent describes what happened in the exchange; ok is false for what is not worth a line.
func peerEvent(observer string, e mep.Event) (out event, ok bool) {
	switch e := e.(type) {
	case *mep.SessionUp:
		return event{e.At, "mep.up", e.Peer, fmt.Sprintf("at %s: session up, version %d; loads are exchanged", observer, e.Version)}, true
	case *mep.PeerLeaving:
		return event{e.At, "mep.leaving", e.Peer, fmt.Sprintf("at %s: it announced that it stops", observer)}, true
	case *mep.SessionDown:
		return event{e.At, "mep.down", e.Peer, fmt.Sprintf("at %s: %s -> monitors decide alone, loads age", observer, e.Reason)}, true
	}
	return event{}, false
}

// journal prints events in the order they were told. Safe for concurrent use.
type journal struct {
	out     io.Writer
	colour  bool
	queue   chan event
	dropped atomic.Uint64
	open    atomic.Bool // events before that are not told: the first screen says it all
}

func newJournal(out io.Writer, colour bool) *journal {
	return &journal{out: out, colour: colour, queue: make(chan event, eventQueue)}
}

// Tell adds an event. It never waits.
func (j *journal) Tell(e event) {
	if !j.open.Load() {
		return
	}
	select {
	case j.queue <- e:
	default:
		j.dropped.Add(1)
	}
}

// Run prints until ctx ends. What happens after that is not told.
func (j *journal) Run(ctx context.Context) error {
	for {
		select {
		case e := <-j.queue:
			if err := j.print(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (j *journal) print(e event) error {
	text := e.line(j.colour) + "\n"
	if n := j.dropped.Swap(0); n > 0 {
		text += fmt.Sprintf("(%d events not shown)\n", n)
	}
	return write(j.out, text)
}
