package probe

import (
	"context"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"fairlead/config"
)

// timeServer makes an answer of stratum 2, whose clock is ahead by so much.
func timeServer(request []byte, ahead time.Duration) []byte {
	a := make([]byte, ntpBytes)
	a[0], a[1] = 4<<3|ntpServerMode, 2
	copy(a[12:], "GPS\x00")
	copy(a[24:], request[40:48])
	now := time.Now().Add(ahead)
	stamp := uint64(now.Unix()+ntpEpochOffset)<<32 | uint64(now.Nanosecond())<<32/uint64(time.Second)
	binary.BigEndian.PutUint64(a[32:], stamp)
	binary.BigEndian.PutUint64(a[40:], stamp)
	return a
}

func TestNTP(t *testing.T) {
	change := func(f func(a []byte)) func(int, []byte) [][]byte {
		return func(_ int, request []byte) [][]byte {
			a := timeServer(request, 0)
			f(a)
			return [][]byte{a}
		}
	}
	ahead := func(d time.Duration) func(int, []byte) [][]byte {
		return func(_ int, request []byte) [][]byte { return [][]byte{timeServer(request, d)} }
	}
	limit := config.NTPProbe{MaxStratum: 15, MaxOffset: config.Duration(time.Second)}
	tests := []struct {
		name   string
		probe  *config.NTPProbe
		answer func(int, []byte) [][]byte
		ok     bool
		want   string
	}{
		{"good", nil, ahead(0), true, "stratum 2"},
		{"within the offset", &limit, ahead(-time.Second), true, "stratum 2"},
		{"ahead", &limit, ahead(1500 * time.Millisecond), false, "offset 1.5s, want at most 1s"},
		{"behind", &limit, ahead(-20 * 365 * 24 * time.Hour), false, "offset -175200h0m0s, want at most 1s"},
		{"any offset", nil, ahead(time.Hour), true, "stratum 2"},
		{"stratum", &config.NTPProbe{MaxStratum: 1}, ahead(0), false, "stratum 2, want at most 1"},
		{"unsynchronized", nil, change(func(a []byte) { a[0] |= ntpUnknownLeap << 6 }), false, "server's clock is not synchronized"},
		{"stratum 16", nil, change(func(a []byte) { a[1] = 16 }), false, "server's clock is not synchronized"},
		{"stratum 0", nil, change(func(a []byte) { a[1] = 0; copy(a[12:], "\x00\x00\x00\x00") }), false, "server's clock is not synchronized"},
		{"kiss of death", nil, change(func(a []byte) { a[1] = 0; copy(a[12:], "RATE") }), false, `kiss-o'-death "RATE"`},
		{"no time", nil, change(func(a []byte) { clear(a[40:]) }), false, "answer has no time"},
		{"another origin", nil, change(func(a []byte) { a[24]++ }), false, "packet answers something else"},
		{"a client", nil, change(func(a []byte) { a[0] = ntpClient }), false, "packet of NTP version 4 and mode 3 is no server's answer"},
		{"short", nil, func(int, []byte) [][]byte { return [][]byte{make([]byte, 47)} }, false, "packet of 47 bytes is no NTP: it has 48"},
		{"forged before the right one", nil, func(_ int, request []byte) [][]byte {
			forged := timeServer(request, time.Hour)
			forged[24]++
			return [][]byte{{1}, forged, timeServer(request, 0)}
		}, true, "stratum 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := serviceMonitor(config.MonitorNTP)
			m.NTP = tt.probe
			got, _ := probeDatagrams(t, m, tt.answer)
			if got.OK != tt.ok || got.Reason != tt.want {
				t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
			}
		})
	}
}

func TestNTPTellsTheOffset(t *testing.T) {
	m := serviceMonitor(config.MonitorNTP)
	got, _ := probeDatagrams(t, m, func(_ int, request []byte) [][]byte { return [][]byte{timeServer(request, -2500*time.Millisecond)} })
	if len(got.Values) != 2 || got.Values[0].Name != "offset" || got.Values[0].Unit != "s" || math.Abs(got.Values[0].Value+2.5) > 1e-6 {
		t.Errorf("values %v, want an offset of -2.5 s", got.Values)
	}
}

// Timestamps wrap on 2036-02-07: what is nearest counts.
func TestNTPSinceAcrossTheEra(t *testing.T) {
	wrap := time.Date(2036, 2, 7, 6, 28, 16, 0, time.UTC)
	for _, tt := range []struct {
		stamp uint64
		now   time.Time
		want  time.Duration
	}{
		{10 << 32, wrap.Add(-10 * time.Second), 20 * time.Second},
		{(1<<32 - 10) << 32, wrap.Add(10 * time.Second), -20 * time.Second},
		{1 << 31, wrap, 500 * time.Millisecond},
		{0, wrap.Add(250 * time.Millisecond), -250 * time.Millisecond},
	} {
		if got := ntpSince(tt.stamp, tt.now); (got - tt.want).Abs() > time.Nanosecond {
			t.Errorf("%x after %v: got %v, want %v", tt.stamp, tt.now, got, tt.want)
		}
	}
}

func FuzzNTP(f *testing.F) {
	f.Add(timeServer(make([]byte, ntpBytes), 0))
	f.Fuzz(func(t *testing.T, packet []byte) {
		a, err := parseNTP(packet)
		if err == nil {
			now := time.Now()
			x := &exchange{ctx: context.Background(), monitor: &config.Monitor{}}
			_ = x.judgeNTP(a, now, now)
		}
	})
}
