package mep

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestGoldenAsk pins the bytes of questions and answers.
func TestGoldenAsk(t *testing.T) {
	for _, c := range []struct {
		kind FrameType
		word uint8
		want string
	}{
		{FrameAsk, uint8(AskExplain), "0000000b0a000000" + "0000000000000001" + "0000000000000007" + "01" + "7b7d"},
		{FrameAnswer, uint8(answerBusy), "0000000b0b000000" + "0000000000000001" + "0000000000000007" + "02" + "7b7d"},
	} {
		got := hex.EncodeToString(appendFrame(nil, c.kind, 0, 1, func(b []byte) []byte { return appendAsk(b, 7, c.word, []byte("{}")) }))
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.kind, got, c.want)
		}
	}
}

func TestAskRefuses(t *testing.T) {
	for name, payload := range map[string][]byte{"cut short": {0, 0, 0, 0, 0, 0, 0, 1}, "too long": make([]byte, askHeader+MaxAsk+1)} {
		if _, _, _, err := decodeAsk(FrameAsk, payload); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, _, body, err := decodeAsk(FrameAsk, make([]byte, askHeader+MaxAsk)); err != nil || len(body) != MaxAsk {
		t.Errorf("the longest one: %d bytes, %v", len(body), err)
	}
}

// answering makes sites that answer with their name and what they were asked.
func answering(o *Options) {
	o.Answer = func(peer string, _ AskKind, body []byte) ([]byte, error) {
		switch string(body) {
		case "fail":
			return nil, errors.New("no such name")
		case "long":
			return make([]byte, MaxAsk+1), nil
		case "slow":
			time.Sleep(time.Second)
		case "silent":
			time.Sleep(time.Minute)
		}
		return []byte(o.Site + " to " + peer + ": " + string(body)), nil
	}
}

func TestSitesAskEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ams, nyc := twoSites(t, newMemNet(), answering)
		defer nyc.stop()
		defer ams.stop()
		pass(time.Second)
		for _, of := range []struct{ from, to *testSite }{{ams, nyc}, {nyc, ams}} {
			to := of.to.peer.Site
			got, err := of.from.Ask(t.Context(), to, AskExplain, []byte("www"))
			if want := to + " to " + of.from.peer.Site + ": www"; err != nil || string(got) != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
		tests := []struct {
			name, site, body string
			kind             AskKind
			want             error
			text             string
		}{
			{"error", "nyc", "fail", AskExplain, ErrNotAnswered, "no such name"},
			{"long answer", "nyc", "long", AskExplain, ErrNotAnswered, "above the limit"},
			{"unknown kind", "nyc", "x", 99, ErrNotAnswered, "does not know this kind"},
			{"stranger", "sin", "x", AskExplain, ErrNoSession, "sin"},
			{"long question", "nyc", strings.Repeat("x", MaxAsk+1), AskExplain, ErrNotAnswered, "above the limit"},
			{"silence", "nyc", "silent", AskExplain, ErrNotAnswered, "within 3s"},
		}
		for _, tt := range tests {
			start := time.Now()
			_, err := ams.Ask(t.Context(), tt.site, tt.kind, []byte(tt.body))
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.text)
			}
			if took := time.Since(start); took > AskTimeout {
				t.Errorf("%s: took %v", tt.name, took)
			}
		}
		ams.wantStory("up nyc") // nothing of this ends a session
		pass(2 * time.Minute)
	})
}

// TestQuestionsAreLimited: who asks too much is told so, and a question of whom nobody waits any more is forgotten.
func TestQuestionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ams, nyc := twoSites(t, newMemNet(), answering)
		defer nyc.stop()
		defer ams.stop()
		pass(time.Second)
		refused := 0
		for range 3 * askBurst {
			if _, err := ams.Ask(t.Context(), "nyc", AskExplain, []byte("x")); err != nil {
				if !errors.Is(err, ErrNotAnswered) || !strings.Contains(err.Error(), "asked too much") {
					t.Fatal(err)
				}
				refused++
			}
		}
		if refused != 2*askBurst {
			t.Errorf("%d of %d were refused, want %d", refused, 3*askBurst, 2*askBurst)
		}
		pass(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := ams.Ask(ctx, "nyc", AskExplain, []byte("slow")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		pass(time.Minute)
		s := ams.peers["nyc"].session
		s.asks.mu.Lock()
		defer s.asks.mu.Unlock()
		if n := len(s.asks.waiting); n != 0 {
			t.Errorf("%d questions wait still", n)
		}
	})
}

func FuzzAsk(f *testing.F) {
	f.Add(appendAsk(nil, 7, 1, []byte("{}")))
	f.Fuzz(func(t *testing.T, b []byte) {
		number, word, body, err := decodeAsk(FrameAsk, b)
		if err == nil && !bytes.Equal(appendAsk(nil, number, word, body), b) {
			t.Errorf("got %d %d %x of %x", number, word, body, b)
		}
	})
}
