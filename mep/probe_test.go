package mep

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestGoldenProbe pins the bytes of an answer.
func TestGoldenProbe(t *testing.T) {
	a := ProbeAnswer{State: StateUp, Without6: true, Age: 300 * time.Millisecond, Reason: "ok"}
	b := a.append(nil)
	if got, want := hex.EncodeToString(b), "0102"+"ac02"+"026f6b"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, err := decodeProbeAnswer(append(b, "later"...)); err != nil || got != a {
		t.Errorf("got %+v, %v, want %+v", got, err, a)
	}
	for n := range b {
		if _, err := decodeProbeAnswer(b[:n]); err == nil {
			t.Errorf("%d bytes of it: no error", n)
		}
	}
}

func TestProbesAreAsked(t *testing.T) {
	var running, most atomic.Int32
	probing := func(o *Options) {
		o.Probe = func(ctx context.Context, peer, service string) (ProbeAnswer, error) {
			n := running.Add(1)
			defer running.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			switch service {
			case "stranger":
				return ProbeAnswer{}, errors.New("not probed here")
			case "slow":
				<-ctx.Done()
				return ProbeAnswer{}, ctx.Err()
			}
			return ProbeAnswer{State: StateDown, Reason: service + " for " + peer}, nil
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ams, nyc := twoSites(t, newMemNet(), probing)
		defer ams.stop()
		pass(time.Second)
		if got, err := ams.AskProbe(t.Context(), "nyc", "web:1"); err != nil || got != (ProbeAnswer{State: StateDown, Reason: "web:1 for ams"}) {
			t.Errorf("got %+v, %v", got, err)
		}
		for service, text := range map[string]string{"stranger": "not probed here", "a b": "not a service's name"} {
			if _, err := ams.AskProbe(t.Context(), "nyc", service); !errors.Is(err, ErrNotAnswered) || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, want %q", service, err, text)
			}
		}
		pass(2 * time.Second)
		errs := make(chan error, 12)
		for range cap(errs) {
			go func() {
				_, err := ams.AskProbe(t.Context(), "nyc", "slow")
				errs <- err
			}()
		}
		synctest.Wait()
		if got, err := ams.AskProbe(t.Context(), "nyc", "web"); err == nil {
			t.Errorf("a ninth beside eight was probed: %+v", got)
		}
		began := time.Now()
		nyc.stop() // which ends those under way
		for range cap(errs) {
			if err := <-errs; err == nil {
				t.Error("a slow probe was answered")
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a site that stops waited %v for probes", took)
		}
		if n := most.Load(); n > maxProbing {
			t.Errorf("%d probes at a time, the limit is %d", n, maxProbing)
		}
	})
}

func TestProbesAreRefusedWithout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ams, nyc := twoSites(t, newMemNet(), answering)
		defer nyc.stop()
		defer ams.stop()
		pass(time.Second)
		if _, err := ams.AskProbe(t.Context(), "nyc", "web"); !errors.Is(err, ErrNotAnswered) || !strings.Contains(err.Error(), "does not know") {
			t.Errorf("got %v", err)
		}
	})
}

// TestViewFamilies: the byte of families is told only when there is something to say, and older releases leave it.
func TestViewFamilies(t *testing.T) {
	for _, want := range []ViewRecord{
		{Kind: ViewOfService, State: StateUp, Name: "web", Age: time.Second},
		{Kind: ViewOfService, State: StateUp, Name: "web", Age: time.Second, Without4: true},
		{Kind: ViewOfService, State: StateUp, Name: "web", Without4: true, Without6: true},
	} {
		b := want.append(nil)
		var got ViewRecord
		c := cursor{what: "Views", b: append(b, "later"...)}
		if !want.Without4 {
			c.b = b
		}
		if got.decode(&c); c.err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, c.err, want)
		}
	}
}

func FuzzProbeAnswer(f *testing.F) {
	f.Add([]byte("\x01\x02\xac\x02\x02ok"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeProbeAnswer(b)
		if err != nil {
			return
		}
		if again, err := decodeProbeAnswer(a.append(nil)); err != nil || again != a {
			t.Errorf("%+v became %+v, %v", a, again, err)
		}
	})
}
