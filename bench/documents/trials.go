package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	askPause   = 2 * time.Millisecond
	askTimeout = time.Second
	// changeLimit is how long a change may take until all sites have it.
	changeLimit = 30 * time.Second
	// idleTime is how long nothing happens, for what that costs.
	idleTime = 2 * time.Second
	// wholeRounds is how often the whole document is applied.
	wholeRounds = 3
)

// results are all that was measured.
type results struct {
	times []*times
	// Of changes of one service's addresses:
	allocated float64    // octets by one
	grown     float64    // octets on disk by one, at one site
	idle      float64    // share of a CPU while nothing happens
	disk      float64    // octets before the changes
	heap      [2]float64 // octets of a site: with the document, and after the changes
}

// times are how long something took each time.
type times struct {
	what string
	took []time.Duration
	cpu  time.Duration // of one, all sites together; 0: not known
}

func (r *results) of(what string) *times {
	t := &times{what: what}
	r.times = append(r.times, t)
	return t
}

func (t *times) since(start time.Time) { t.took = append(t.took, time.Since(start)) }

// quantile returns the time that a share of all does not exceed; 0 without any.
func (t *times) quantile(q float64) time.Duration {
	if len(t.took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.took))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// applied writes whole documents: first all is new, then a third of the services is changed.
func (m *mesh) applied(ctx context.Context, r *results) error {
	first, again := r.of("the whole document for the first time, until acknowledged"), r.of("a third of it changed, until acknowledged")
	firstAll, againAll := r.of("the whole document for the first time, until all other sites serve it"), r.of("a third of it changed, until all other sites serve it")
	at := m.sites[0]
	for round := range wholeRounds {
		written, all := again, againAll
		if round == 0 {
			written, all = first, firstAll
		}
		text := m.document(m.plan.services, round)
		start := time.Now()
		if err := at.send(ctx, http.MethodPut, "/v1/config", "application/yaml", text); err != nil {
			return err
		}
		written.since(start)
		if err := m.serving(ctx, at); err != nil {
			return err
		}
		all.since(start)
	}
	return nil
}

// serving waits until all other sites serve what one does.
func (m *mesh) serving(ctx context.Context, as *site) error {
	limited, cancel := context.WithTimeout(ctx, changeLimit)
	defer cancel()
	want := as.node.State().DocumentID
	return m.until(limited, m.others(as), func(s *site) bool { return s.node.State().DocumentID == want })
}

// patched changes one service after another, at one site after another.
func (m *mesh) patched(ctx context.Context, r *results) error {
	written, one, all := r.of("one service changed, until acknowledged"), r.of("until the DNS of another site answers by it"), r.of("until that of all sites does")
	if err := m.askAll(ctx); err != nil {
		return err
	}
	r.heap[0], r.disk = m.heap(), m.sites[0].kept()
	spent := cpuTime()
	if err := pause(ctx, idleTime); err != nil {
		return err
	}
	r.idle = float64(cpuTime()-spent) / float64(idleTime)
	spent = cpuTime()
	began, octets := time.Now(), allocated()
	for i := range m.plan.patches {
		at, which := m.sites[i%len(m.sites)], i*37%(m.plan.services/2)
		address := fmt.Sprintf("198.18.%d.%d", i/250, i%250+1)
		start := time.Now()
		if err := at.send(ctx, http.MethodPatch, "/v1/services/"+service(2*which), mergePatch, []byte(`{"addresses":["`+address+`"]}`)); err != nil {
			return err
		}
		written.since(start)
		if err := m.answered(ctx, at, which, address, start, one); err != nil {
			return err
		}
		all.since(start)
		if err := pause(ctx, m.plan.pause); err != nil {
			return err
		}
	}
	written.cpu = time.Duration(float64(cpuTime()-spent)-r.idle*float64(time.Since(began))) / time.Duration(m.plan.patches)
	r.allocated = float64(allocated()-octets) / float64(m.plan.patches)
	r.grown = (m.sites[0].kept() - r.disk) / float64(m.plan.patches)
	r.heap[1] = m.heap()
	return nil
}

// send writes something through a site's API, and fails unless it is acknowledged.
func (s *site) send(ctx context.Context, method, path, kind string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, method, s.api+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	request.Header.Set("Content-Type", kind)
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask site %q: %w", s.name, err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return fmt.Errorf("ask site %q: %w", s.name, err)
	}
	var said struct{ Revision string }
	if err := json.Unmarshal(text, &said); err != nil || reply.StatusCode/100 != 2 || said.Revision == "" {
		return fmt.Errorf("%s %s at site %q: got %s: %.1000s", method, path, s.name, reply.Status, text)
	}
	return nil
}

// read reads what a site's API says.
func (s *site) read(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+path, nil)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask site %q: %w", s.name, err)
	}
	defer reply.Body.Close()
	if err := json.NewDecoder(reply.Body).Decode(into); err != nil {
		return fmt.Errorf("read %s of site %q: %w", path, s.name, err)
	}
	return nil
}

// answered waits until all other sites answer a name with an address, and notes when each did.
func (m *mesh) answered(ctx context.Context, than *site, which int, address string, start time.Time, one *times) error {
	limited, cancel := context.WithTimeout(ctx, changeLimit)
	defer cancel()
	seen, others := make(chan error), m.others(than)
	when := make([]time.Time, len(others))
	for i, s := range others {
		go func() {
			err := s.until(limited, name(which), address)
			when[i] = time.Now()
			seen <- err
		}()
	}
	var failed error
	for range others {
		if err := <-seen; err != nil {
			failed = err
		}
	}
	for _, w := range when {
		one.took = append(one.took, w.Sub(start))
	}
	return failed
}

// until asks a site until it answers a name with an address.
func (s *site) until(ctx context.Context, name, address string) error {
	client := &dns.Client{Timeout: askTimeout}
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
	for {
		reply, _, err := client.ExchangeContext(ctx, question, s.dns)
		if err == nil && len(reply.Answer) == 1 && strings.HasSuffix(reply.Answer[0].String(), "\t"+address) {
			return nil
		}
		if err := pause(ctx, askPause); err != nil {
			return fmt.Errorf("wait until site %q answers %s with %s: %w (last: %v)", s.name, name, address, err, reply)
		}
	}
}

// askAll asks every site for many names, so that there are recent queries to compute effects by.
func (m *mesh) askAll(ctx context.Context) error {
	for _, s := range m.sites {
		for i := range min(m.plan.asked, m.plan.services/2) {
			which := i * 7 % (m.plan.services / 2)
			if err := s.until(ctx, name(which), m.address(2*which)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *mesh) address(i int) string { return fmt.Sprintf("203.0.%d.%d", i/250%250, i%250+1) }

// heap is the live octets of a site.
func (m *mesh) heap() float64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc) / float64(len(m.sites))
}

// allocated is how many octets were ever allocated in this process.
func allocated() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.TotalAlloc
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
