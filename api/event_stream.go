package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"fairlead/api/resource"
	"fairlead/internal/access"
)

const (
	eventsPath = "/v1/events"
	// eventHeartbeat is how often a client hears something although nothing happens.
	eventHeartbeat = 15 * time.Second
	// eventWriteTimeout is how long a client may keep a write waiting before it is given up.
	eventWriteTimeout = 10 * time.Second
	// maxEventClients is how many clients listen at once.
	maxEventClients = 64

	streamType = "text/event-stream"
)

type eventsInput struct {
	Type        []string `query:"type" enum:"transition,peer,config,override,audit" doc:"Only events of these types."`
	LastEventID string   `header:"Last-Event-ID" maxLength:"64" doc:"Go on after this event, whose id the stream told. Absent: with the next one."`
}

// Resolve refuses query parameters.
func (in *eventsInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

func (r *resources) registerEvents(rest huma.API) {
	response := &huma.Response{Description: "Events as they happen, as server-sent events. The data of each is an Event. It does not end.",
		Content: map[string]*huma.MediaType{streamType: {Schema: &huma.Schema{Type: huma.TypeString}}}}
	register(r, rest, huma.Operation{OperationID: "listen-events", Method: http.MethodGet, Path: eventsPath, Tags: []string{"events"},
		Summary: "What happens, as it happens", Responses: map[string]*huma.Response{"200": response}},
		[]int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.events)
}

func (r *resources) events(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	if r.Events == nil {
		return nil, unavailable("events are not told at this node")
	}
	from, known := r.Events.newest(), true
	if in.LastEventID != "" {
		var err error
		if from, known, err = r.Events.resume(in.LastEventID); err != nil {
			return nil, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/header/Last-Event-ID", Code: resource.CodeInvalid, Detail: err.Error()})
		}
	}
	if n := r.listening.Add(1); n > maxEventClients {
		r.listening.Add(-1)
		return nil, busy(fmt.Sprintf("%d clients listen already, which is the limit", maxEventClients))
	}
	c := &eventClient{events: r.Events, wanted: in.Type, audit: access.From(ctx).Could(access.Administer) == nil, last: from}
	c.still = func() bool { return true }
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer r.listening.Add(-1)
		req, w := humachi.Unwrap(hc)
		w.Header().Set("Content-Type", streamType)
		w.Header().Set("X-Accel-Buffering", "no")
		w.WriteHeader(http.StatusOK)
		if req.Method == http.MethodHead {
			return
		}
		c.out, c.flush = w, http.NewResponseController(w)
		if r.Access != nil {
			c.still = func() bool { return stillReads(r.Access, req, c.audit) }
		}
		if !known {
			c.drop("the node has restarted since, and what happened in between is not known")
			return
		}
		c.run(req.Context(), r.stop)
	}}, nil
}

// stillReads reports whether who began a request may go on with it: a token can be revoked, and a certificate expire, while events are read.
func stillReads(guard *access.Guard, req *http.Request, audit bool) bool {
	who, err := guard.Authenticate(req)
	return err == nil && who.Could(access.Read) == nil && (!audit || who.Could(access.Administer) == nil)
}

// eventClient is one client that listens. Writing to it may block; nobody waits for it.
type eventClient struct {
	events *Events
	wanted []string    // types; empty: all
	audit  bool        // it may read the audit log
	last   uint64      // event that it has, or does not want
	still  func() bool // whether it may listen still
	out    io.Writer
	flush  *http.ResponseController
}

// run writes events until the client goes, or has missed some.
func (c *eventClient) run(ctx context.Context, stop <-chan struct{}) {
	beat := time.NewTicker(eventHeartbeat)
	defer beat.Stop()
	if c.send(": fairlead\n\n") != nil {
		return
	}
	for {
		batch, more := c.events.after(c.last)
		if batch.missed > 0 {
			c.last = batch.last
			c.drop(fmt.Sprintf("%d events were missed, because the client was away or too slow", batch.missed))
			return
		}
		if c.batch(batch) != nil {
			return
		}
		select {
		case <-more:
		case <-beat.C:
			if !c.still() || c.send(": heartbeat\n\n") != nil {
				return
			}
		case <-ctx.Done():
			return
		case <-stop:
			return
		}
	}
}

// batch writes the events that the client wants, in pieces, so that what it has is known if it is slow.
func (c *eventClient) batch(b eventBatch) error {
	var text strings.Builder
	for _, e := range b.events {
		if c.wants(e.kind) {
			fmt.Fprintf(&text, "id: %s\nevent: %s\ndata: %s\n\n", c.events.id(e.number), e.kind, e.text)
		}
		if text.Len() > maxEventBytes {
			if err := c.send(text.String()); err != nil {
				return err
			}
			text.Reset()
		}
	}
	c.last = b.last
	if text.Len() == 0 {
		return nil
	}
	return c.send(text.String())
}

func (c *eventClient) wants(kind string) bool {
	if kind == EventAudit && !c.audit {
		return false
	}
	return len(c.wanted) == 0 || slices.Contains(c.wanted, kind)
}

// drop tells the client that it has missed something; it reads the state anew and comes back with this event's id.
func (c *eventClient) drop(why string) {
	c.last = c.events.newest()
	text, err := json.Marshal(resource.Event{Type: eventDropped, Time: time.Now().UTC(), Summary: why + "; read the state anew and listen again"})
	if err == nil {
		_ = c.send(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", c.events.id(c.last), eventDropped, text)) // it is given up anyway
	}
}

// send writes to the client at once.
func (c *eventClient) send(text string) error {
	_ = c.flush.SetWriteDeadline(time.Now().Add(eventWriteTimeout)) // recorders of tests have none
	if _, err := io.WriteString(c.out, text); err != nil {
		return err
	}
	return c.flush.Flush()
}
