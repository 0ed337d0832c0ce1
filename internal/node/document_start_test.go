package node_test

import (
	"strings"
	"testing"
)

// TestARestartLosesNoName: a followed file that leaves a name without an answer is refused by a node that runs. A restart does not let it in.
func TestARestartLosesNoName(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	p.write(document("192.0.2.1"))
	n, stop := p.serve(nil)
	eventually(t, n, "www.example.test", "192.0.2.1")
	empty, _, _ := strings.Cut(document("192.0.2.1"), "virtual_servers:")
	p.write(empty)
	if err := n.Reload(); err == nil || !strings.Contains(err.Error(), "www.example.test") {
		t.Fatalf("a file without www: %v", err)
	}
	stop()

	n, stop = p.serve(nil)
	eventually(t, n, "www.example.test", "192.0.2.1")
	if got := n.State().LastError; !strings.Contains(got, "www.example.test") || !strings.Contains(got, "config.force") {
		t.Errorf("the refusal is shown as %q", got)
	}
	stop()

	p.config.Config.Force = true
	n, _ = p.serve(nil)
	eventually(t, n, "www.example.test", "")
}
