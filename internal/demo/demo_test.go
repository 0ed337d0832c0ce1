package demo

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSelfTest is the main job end to end: two sites, real sockets, real time.
func TestSelfTest(t *testing.T) {
	if testing.Short() {
		t.Skip("plays a story of several seconds")
	}
	t.Parallel()
	var out bytes.Buffer
	passed, failed := SelfTest(t.Context(), Options{Out: &out, FreePorts: true})
	if failed > 0 || passed < 100 {
		t.Errorf("%d passed, %d failed; want none to fail:\n%s", passed, failed, out.String())
	}
	if !strings.HasSuffix(out.String(), " passed, 0 failed\n") {
		t.Errorf("the last line is not the numbers: %q", out.String()[max(0, out.Len()-100):])
	}
}
