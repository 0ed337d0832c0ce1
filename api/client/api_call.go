package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxTextBytes is the most that is read of one object or document.
	MaxTextBytes = 128 << 20
	// TextTimeout is the longest that one request of API may take, unless its context ends earlier. Streams have none.
	TextTimeout = 2 * time.Minute

	passphraseHeader = "Fairlead-Passphrase" // of backups
)

// API has one method for each operation of the interface, generated from its description. Get it from Client.API.
type API struct{ c *Client }

// API returns all operations, each as the interface has it.
func (c *Client) API() API { return API{c} }

// Text is an object, a document or a file as a text.
type Text struct {
	Type     string // media type, such as application/json or application/yaml; of a request, empty: application/json
	Body     []byte
	ETag     string // of an answer: what If-Match takes
	Revision string // of an answer: the revision that it was read from
}

// invocation is one request of API.
type invocation struct {
	method, path string
	query        url.Values
	header       http.Header
	text         *Text // body; nil: none, or value
	value        any   // body as JSON; nil: none, or text
}

// set notes a parameter unless it is empty.
func (i *invocation) set(in, name, value string) {
	switch {
	case value == "":
	case in == "header":
		i.header.Set(name, value)
	default:
		i.query.Set(name, value)
	}
}

func (i *invocation) setBool(in, name string, value bool) {
	if value {
		i.set(in, name, "true")
	}
}

func (i *invocation) setInt(in, name string, value int) {
	if value != 0 {
		i.set(in, name, strconv.Itoa(value))
	}
}

func (i *invocation) setList(in, name string, value []string) {
	i.set(in, name, strings.Join(value, ","))
}

// send sends a request, and returns an answer that is no refusal, whose body is to be closed.
func (a API) send(ctx context.Context, i *invocation) (*http.Response, error) {
	if i.text == nil && i.value != nil {
		text, err := json.Marshal(i.value)
		if err != nil {
			return nil, fmt.Errorf("write request for %s: %w", i.path, err)
		}
		i.text = &Text{Body: text}
	}
	request, err := a.c.request(ctx, call{method: i.method, path: i.path, query: i.query})
	if err != nil {
		return nil, err
	}
	for name, values := range i.header {
		request.Header[name] = values
	}
	if request.Header.Get(passphraseHeader) != "" && plain(a.c.base) {
		return nil, fmt.Errorf("ask %s: a passphrase is not sent over plain http to another machine: write https://", a.c.base.Host)
	}
	if i.text != nil {
		media := i.text.Type
		if media == "" {
			media = "application/json"
		}
		request.Header.Set("Content-Type", media)
		body := i.text.Body
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	h := *a.c.http
	h.Timeout = 0 // the context says how long: documents may be large, and events do not end
	response, err := h.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("ask %s: %w", a.c.base.Host, context.Cause(ctx))
		}
		return nil, &Unreachable{Address: a.c.base.Host, Err: withoutURL(err)}
	}
	if response.StatusCode < 400 {
		return response, nil
	}
	defer response.Body.Close()
	text, err := readAtMost(response.Body, MaxResponseBytes)
	if err != nil {
		return nil, &Unreachable{Address: a.c.base.Host, Err: fmt.Errorf("read response: %w", err)}
	}
	return nil, a.c.read(response, text, nil)
}

func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("there is more than the limit of %d bytes", limit)
	}
	return text, err
}

// invoke asks for a resource.
func invoke[T any](ctx context.Context, a API, i *invocation) (*T, error) {
	text, err := a.text(ctx, i)
	if err != nil {
		return nil, err
	}
	out := new(T)
	if text.Type != "application/json" {
		return nil, fmt.Errorf("ask %s: the answer is not a node's: %s", a.c.base.Host, text.Type)
	}
	if err := json.Unmarshal(text.Body, out); err != nil {
		return nil, fmt.Errorf("read response from %s: %w", a.c.base.Host, err)
	}
	return out, nil
}

// text asks for a text. It is empty when the client has it already.
func (a API) text(ctx context.Context, i *invocation) (*Text, error) {
	ctx, cancel := context.WithTimeout(ctx, TextTimeout)
	defer cancel()
	response, err := a.send(ctx, i)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := readAtMost(response.Body, MaxTextBytes)
	if err != nil {
		return nil, &Unreachable{Address: a.c.base.Host, Err: fmt.Errorf("read response: %w", err)}
	}
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return &Text{Type: media, Body: body, ETag: response.Header.Get("ETag"), Revision: response.Header.Get("Fairlead-Revision")}, nil
}

// nothing asks for something to be done that has no answer.
func (a API) nothing(ctx context.Context, i *invocation) error {
	_, err := a.text(ctx, i)
	return err
}

// stream asks for what is read bit by bit, and is to be closed.
func (a API) stream(ctx context.Context, i *invocation) (io.ReadCloser, error) {
	response, err := a.send(ctx, i)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}
