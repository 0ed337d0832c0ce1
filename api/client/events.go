package client

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"fairlead/api/resource"
)

// maxEventLine is the longest line of a stream of events, in bytes.
const maxEventLine = 64 << 10

// maxEventData is the most data that one event may have, in bytes.
const maxEventData = 256 << 10

// Event is one event with what to go on after.
type Event struct {
	ID string // for ListenEventsParams.LastEventID
	resource.Event
	Raw []byte // the event as the node wrote it
}

// EventReader reads a stream of server-sent events. It belongs to one goroutine.
type EventReader struct{ lines *bufio.Scanner }

// NewEventReader reads what ListenEvents returned, which remains the caller's to close.
func NewEventReader(r io.Reader) *EventReader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 4096), maxEventLine)
	return &EventReader{s}
}

// Next returns the next event. At the end of the stream the error is io.EOF.
func (r *EventReader) Next() (*Event, error) {
	var id string
	var data strings.Builder
	said := false
	for r.lines.Scan() {
		line := r.lines.Text()
		if line == "" {
			if !said {
				continue
			}
			e := &Event{ID: id, Raw: []byte(data.String())}
			if err := json.Unmarshal(e.Raw, &e.Event); err != nil {
				return nil, fmt.Errorf("read event %q: %w", id, err)
			}
			return e, nil
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			id = value
		case "data":
			if data.Len()+len(value) > maxEventData {
				return nil, fmt.Errorf("read event %q: it has more than %d bytes", id, maxEventData)
			}
			if said {
				data.WriteByte('\n')
			}
			data.WriteString(value)
			said = true
		}
	}
	if err := r.lines.Err(); err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return nil, io.EOF
}
