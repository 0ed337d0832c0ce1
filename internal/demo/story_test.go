package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is a stage that writes down what is done to it.
type recorder struct {
	began time.Time
	done  []string
}

func (r *recorder) note(what string) {
	r.done = append(r.done, fmt.Sprintf("%v %s", time.Since(r.began), what))
}

func (r *recorder) Fail(service string) { r.note("fail " + service) }
func (r *recorder) Heal(service string) { r.note("heal " + service) }
func (r *recorder) Cut()                { r.note("cut") }
func (r *recorder) Join()               { r.note("join") }

func TestStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{began: time.Now()}
		var told []string
		tellStory(t.Context(), story(), r, func(e event) {
			told = append(told, e.Name)
			if len(r.done) > 0 && strings.HasPrefix(r.done[len(r.done)-1], e.At.Sub(r.began).String()) {
				t.Errorf("%s was announced after it happened", e.Name)
			}
		})
		want := []string{"20s fail ams-2", "40s cut", "1m0s heal ams-2", "1m0s join"}
		if !slices.Equal(r.done, want) {
			t.Errorf("got %v, want %v", r.done, want)
		}
		if want := []string{"story.fail", "story.cut", "story.heal"}; !slices.Equal(told, want) {
			t.Errorf("announced %v, want %v", told, want)
		}
	})
}

func TestStoryStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		r := &recorder{began: time.Now()}
		tellStory(ctx, story(), r, func(event) {})
		if want := []string{"20s fail ams-2"}; !slices.Equal(r.done, want) || time.Since(r.began) != 30*time.Second {
			t.Errorf("got %v after %v, want %v after 30s", r.done, time.Since(r.began), want)
		}
	})
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		after := func(d time.Duration) func() bool { return func() bool { return time.Since(began) >= d } }
		for _, tt := range []struct {
			name  string
			holds func() bool
			want  bool
			least time.Duration
			most  time.Duration
		}{
			{"at once", after(0), true, 0, 0},
			{"later", after(time.Second), true, time.Second, time.Second + pollGap},
			{"too late", after(time.Hour), false, 3 * time.Second, 3 * time.Second},
		} {
			began = time.Now()
			got := await(t.Context(), 3*time.Second, tt.holds)
			if took := time.Since(began); got != tt.want || took < tt.least || took > tt.most {
				t.Errorf("%s: got %t after %v, want %t after %v to %v", tt.name, got, took, tt.want, tt.least, tt.most)
			}
		}
	})
}
