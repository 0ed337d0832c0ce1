package udp

import (
	"runtime"
	"testing"
)

func TestRaiseGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, c := range []struct{ before, workers, want int }{
		{1, 1, 3}, {2, 2, 4}, {8, 2, 8}, {4, 2, 4}, {3, 2, 4}, {2, 0, 2}, {1, -1, 1},
	} {
		runtime.GOMAXPROCS(c.before)
		got := RaiseGOMAXPROCS(c.workers)
		if now := runtime.GOMAXPROCS(0); got != c.want || now != c.want {
			t.Errorf("%d processors, %d workers: got %d and said %d, want %d", c.before, c.workers, now, got, c.want)
		}
	}
}
