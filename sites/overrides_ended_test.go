package sites

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/mep"
)

func lasting(o Order, d time.Duration) Order {
	o.For = d
	return o
}

// TestAnOverrideThatWasReplacedDoesNotComeBack: nyc is cut off while the order that it knows is replaced by a shorter one, and
// hears of it only when that is over; lax has lost its data, and hears nyc first.
func TestAnOverrideThatWasReplacedDoesNotComeBack(t *testing.T) {
	for _, ending := range []string{"by itself", "by clear"} {
		t.Run(ending, func(t *testing.T) {
			ams, nyc, lax := NewOverrides(OverridesOptions{Site: "ams"}), NewOverrides(OverridesOptions{Site: "nyc"}), NewOverrides(OverridesOptions{Site: "lax"})
			now := epoch
			mustGive(t, ams, lasting(order(OfService, "svc", Disable), 10*time.Hour), now)
			exchange(now, ams, nyc)
			mustGive(t, ams, lasting(order(OfService, "svc", Enable), time.Minute), now)
			if ending == "by clear" {
				mustGive(t, ams, order(OfService, "svc", Clear), now)
			}
			now = now.Add(2 * time.Minute)
			for _, s := range []*Overrides{ams, nyc, lax} {
				s.Expire(now)
			}
			exchange(now, nyc, lax, ams)
			exchange(now, nyc, lax, ams)
			for _, s := range []*Overrides{ams, nyc, lax} {
				if got := said(s, now); got != "" {
					t.Errorf("site %s holds %q, want nothing", s.opts.Site, got)
				}
			}
		})
	}
}

// TestAnOverrideThatEndedDoesNotComeBack: nyc's end is later, as its process stood still or its clock was set back over a restart.
func TestAnOverrideThatEndedDoesNotComeBack(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	ams, nyc := NewOverrides(OverridesOptions{Site: "ams"}), NewOverrides(OverridesOptions{Site: "nyc", Logger: zap.New(core)})
	mustGive(t, ams, order(OfService, "svc", Disable), epoch)
	lax := NewOverrides(OverridesOptions{Site: "lax", Logger: zap.New(core)}) // its end is at the same time, but it has not looked yet
	lax.Merge(ams.Records(epoch), 0, epoch)
	nyc.Merge(ams.Records(epoch), 0, epoch.Add(9*time.Second))
	end := epoch.Add(time.Hour)
	ams.Expire(end)
	if ams.Merge(nyc.Records(end), 0, end); said(ams, end) != "" {
		t.Errorf("ams holds %q again", said(ams, end))
	}
	if nyc.Merge(ams.Records(end), 0, end); said(nyc, end) != "" {
		t.Errorf("nyc still holds %q", said(nyc, end))
	}
	lax.Merge(ams.Records(end), 0, end)
	lax.Expire(end)
	if heard, expired := logs.FilterMessage("override.heard").Len(), logs.FilterMessage("override.expired").Len(); heard != 2 || expired != 2 {
		t.Errorf("nyc and lax logged %d that they heard and %d that expired, want two of each", heard, expired)
	}
}

// TestAClockThatWasSetBack: what is restored lasts as long as it was given for, at most.
func TestAClockThatWasSetBack(t *testing.T) {
	old := NewOverrides(OverridesOptions{Site: "ams"})
	mustGive(t, old, order(OfService, "svc", Disable), epoch)
	var file bytes.Buffer
	if err := old.Save(&file); err != nil {
		t.Fatal(err)
	}
	long := epoch.Add(-20 * 365 * 24 * time.Hour)
	s := NewOverrides(OverridesOptions{Site: "ams"})
	if err := s.Restore(&file, long); err != nil {
		t.Fatal(err)
	}
	if got := s.List(long); len(got) != 1 || !got[0].Until.Equal(long.Add(time.Hour)) || !got[0].Set.Equal(long) {
		t.Errorf("got %+v, want one for an hour from now on", got)
	}
}

// TestARevisionThatWasGivenTwice: ams lost its data, and counts from the start again.
func TestARevisionThatWasGivenTwice(t *testing.T) {
	ams, again, nyc := NewOverrides(OverridesOptions{Site: "ams"}), NewOverrides(OverridesOptions{Site: "ams"}), NewOverrides(OverridesOptions{Site: "nyc"})
	mustGive(t, ams, order(OfService, "svc", Drain), epoch)
	exchange(epoch, ams, nyc)
	mustGive(t, again, order(OfService, "svc", Enable), epoch)
	exchange(epoch, again, nyc)
	if a, b := said(again, epoch), said(nyc, epoch); a != b || a == "" {
		t.Errorf("ams holds %q, nyc %q; want the same", a, b)
	}
}

// TestARevisionFarAhead is left out: all that is ordered after it would be, too.
func TestARevisionFarAhead(t *testing.T) {
	ams, nyc := NewOverrides(OverridesOptions{Site: "ams"}), NewOverrides(OverridesOptions{Site: "nyc"})
	for _, revision := range []uint64{maxRevision, maxRevision - 1} {
		ams.Merge([]mep.OverrideRecord{{Kind: 1, Action: 2, Name: "other", Site: "lax", Revision: revision, Remaining: time.Hour}}, 0, epoch)
	}
	mustGive(t, ams, order(OfService, "svc", Disable), epoch)
	exchange(epoch, ams, nyc)
	if got := said(nyc, epoch); got != said(ams, epoch) || got == "" {
		t.Errorf("nyc holds %q, ams %q; want the same", got, said(ams, epoch))
	}
}

// TestWhatEndedMakesRoom: orders are not refused for what is only remembered.
func TestWhatEndedMakesRoom(t *testing.T) {
	s, nyc := NewOverrides(OverridesOptions{Site: "ams"}), NewOverrides(OverridesOptions{Site: "nyc"})
	for i := range MaxOverrides {
		mustGive(t, s, order(OfService, fmt.Sprintf("s%d", i), Disable), epoch)
	}
	mustGive(t, nyc, order(OfService, "theirs", Disable), epoch)
	if s.Merge(nyc.Records(epoch), 0, epoch) {
		t.Error("one above the limit was taken")
	}
	end := epoch.Add(time.Hour - time.Second)
	s.Expire(end)
	mustGive(t, s, order(OfService, "s7", Disable), end)
	end = end.Add(time.Second)
	s.Expire(end)
	mustGive(t, s, order(OfService, "one-more", Disable), end)
	nyc.Expire(end)
	mustGive(t, nyc, order(OfService, "theirs", Drain), end)
	s.Merge(nyc.Records(end), 0, end)
	if got := s.List(end); len(got) != 3 || len(s.entries) > MaxOverrides {
		t.Errorf("%d stand, %d are remembered; want 3, and %d at most", len(got), len(s.entries), MaxOverrides)
	}
}

// TestAReleasedHoldDoesNotComeBack: nyc is cut off, or down, for much longer than anything that ended is kept.
func TestAReleasedHoldDoesNotComeBack(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		t.Run(fmt.Sprintf("restarted %v", restarted), func(t *testing.T) {
			ams, nyc, lax := NewOverrides(OverridesOptions{Site: "ams"}), NewOverrides(OverridesOptions{Site: "nyc"}), NewOverrides(OverridesOptions{Site: "lax"})
			now := epoch
			mustGive(t, ams, order(OfVirtualServer, "web", Hold), now)
			mustGive(t, ams, lasting(order(OfService, "svc", Disable), MaxOverride), now)
			exchange(now, ams, nyc, lax)
			mustGive(t, ams, order(OfVirtualServer, "web", Release), now.Add(time.Hour))
			mustGive(t, ams, order(OfService, "svc", Clear), now.Add(time.Hour))
			for range 20 { // ams and lax restart now and then
				now = now.Add(9 * 24 * time.Hour)
				ams, lax = reborn(t, ams, now), reborn(t, lax, now)
				for _, s := range []*Overrides{ams, nyc, lax} {
					s.Expire(now)
				}
				exchange(now, ams, lax)
			}
			if restarted {
				nyc = reborn(t, nyc, now)
			}
			exchange(now, nyc, ams, lax)
			exchange(now, nyc, ams, lax)
			for _, s := range []*Overrides{ams, nyc, lax} {
				if got := said(s, now); got != "" || s.Held("web") {
					t.Errorf("site %s holds %q, want nothing", s.opts.Site, got)
				}
			}
			mustGive(t, lax, order(OfVirtualServer, "web", Hold), now)
			exchange(now, nyc, ams, lax)
			if !nyc.Held("web") || !ams.Held("web") {
				t.Error("it cannot be held again")
			}
		})
	}
}

// reborn is what a site knows after a restart.
func reborn(t *testing.T, s *Overrides, now time.Time) *Overrides {
	t.Helper()
	var kept bytes.Buffer
	if err := s.Save(&kept); err != nil {
		t.Fatal(err)
	}
	out := NewOverrides(OverridesOptions{Site: s.opts.Site})
	if err := out.Restore(&kept, now); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestReleasesGiveWayLast: when there is no room, what would be forgotten anyway goes first.
func TestReleasesGiveWayLast(t *testing.T) {
	s := NewOverrides(OverridesOptions{Site: "ams"})
	for i := range MaxOverrides {
		o := order(OfVirtualServer, fmt.Sprint("web-", i), Hold)
		if i%2 == 1 {
			o = order(OfService, fmt.Sprint("svc-", i), Disable)
		}
		mustGive(t, s, o, epoch)
		o.Action = map[OverrideAction]OverrideAction{Hold: Release, Disable: Clear}[o.Action]
		mustGive(t, s, o, epoch.Add(time.Duration(i)*time.Millisecond))
	}
	mustGive(t, s, order(OfService, "another", Disable), epoch.Add(24*time.Hour))
	releases, clears := 0, 0
	for _, r := range s.Records(epoch.Add(24 * time.Hour)) {
		switch OverrideAction(r.Action) {
		case Release:
			releases++
		case Clear:
			clears++
		}
	}
	if releases != MaxOverrides/2 || clears != MaxOverrides/2-MaxOverrides/10 {
		t.Errorf("%d releases and %d clears are left, want %d and %d", releases, clears, MaxOverrides/2, MaxOverrides/2-MaxOverrides/10)
	}
}
