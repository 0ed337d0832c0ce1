package api

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"fairlead/api/resource"
)

// Limits of events.
const (
	// maxEvents is how many events are kept for clients that come back.
	maxEvents = 4096
	// maxEventBytes bounds one event; a larger one goes without its data.
	maxEventBytes = 16 << 10
)

// Types of events.
const (
	EventTransition = "transition" // the state of a service or a site
	EventPeer       = "peer"       // a session with another site
	EventConfig     = "config"     // the document, its revisions and conflicts
	EventOverride   = "override"   // what operators want for a time
	EventAudit      = "audit"      // a write, or an attempt at one; shown to those who may read the audit log
	eventDropped    = "dropped"    // the client has missed some
)

// Events is what happened lately, for clients that listen. It keeps the last ones and nothing for each client, so slow clients cost no memory: what
// they have missed is gone, and they are told. Safe for concurrent use.
type Events struct {
	epoch string // tells events of this process from those of the one before

	mu      sync.Mutex
	ring    [][]byte // JSON, at number modulo length
	types   []string
	next    uint64        // number of the next event; the first is 1
	changed chan struct{} // closed at the next event
}

// NewEvents returns a record without events.
func NewEvents() *Events {
	var b [6]byte
	_, _ = rand.Read(b[:]) // it never fails
	return &Events{epoch: hex.EncodeToString(b[:]), ring: make([][]byte, maxEvents), types: make([]string, maxEvents), next: 1, changed: make(chan struct{})}
}

// Publish tells all clients of an event. It does not wait for them. data is for programs; nil: none. A nil Events tells nobody.
func (e *Events) Publish(event resource.Event, data any) {
	if e == nil {
		return
	}
	if event.Time.IsZero() {
		event.Time = time.Now()
	}
	event.Time = event.Time.UTC()
	text := encodeEvent(event, data)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ring[e.next%maxEvents], e.types[e.next%maxEvents] = text, event.Type
	e.next++
	close(e.changed)
	e.changed = make(chan struct{})
}

// encodeEvent writes an event within its limit.
func encodeEvent(event resource.Event, data any) []byte {
	if data != nil {
		if text, err := json.Marshal(data); err == nil && len(text) <= maxEventBytes/2 {
			event.Data = text
		}
	}
	event.Subject = clipTo(event.Subject, maxEventBytes/16)
	event.Summary = clipTo(event.Summary, maxEventBytes/16)
	text, err := json.Marshal(event)
	if err != nil || len(text) > maxEventBytes {
		event.Data = nil
		text, _ = json.Marshal(event) // texts and a time
	}
	return text
}

func clipTo(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// eventBatch is what a client is sent at once.
type eventBatch struct {
	events []numberedEvent
	missed uint64 // events before these that are gone
	last   uint64 // number to go on after
}

type numberedEvent struct {
	number uint64
	kind   string
	text   []byte
}

// after returns what came after an event, and a channel that is closed when there is more.
func (e *Events) after(last uint64) (eventBatch, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := eventBatch{last: e.next - 1}
	if first := e.first(); last+1 < first {
		b.missed = first - last - 1
		last = first - 1
	}
	for n := last + 1; n < e.next; n++ {
		b.events = append(b.events, numberedEvent{n, e.types[n%maxEvents], e.ring[n%maxEvents]})
	}
	return b, e.changed
}

// first returns the number of the oldest event that is kept.
func (e *Events) first() uint64 {
	if e.next > maxEvents {
		return e.next - maxEvents
	}
	return 1
}

// newest returns the number of the last event; 0: there was none.
func (e *Events) newest() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.next - 1
}

// id names an event to clients.
func (e *Events) id(number uint64) string { return e.epoch + "-" + strconv.FormatUint(number, 10) }

// resume reads what id wrote. Of an event of another process, whose followers are not known, it returns false.
func (e *Events) resume(id string) (number uint64, known bool, err error) {
	epoch, text, found := strings.Cut(id, "-")
	number, err = strconv.ParseUint(text, 10, 64)
	if !found || err != nil || len(epoch) != len(e.epoch) {
		return 0, false, fmt.Errorf("%s is not the id of an event", echo(id))
	}
	return number, epoch == e.epoch && number <= e.newest(), nil
}
