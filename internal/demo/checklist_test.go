package demo

import (
	"bytes"
	"testing"
)

func TestChecklist(t *testing.T) {
	var out bytes.Buffer
	c := &checklist{out: &out}
	results := []bool{
		c.equal("a name", "NXDOMAIN", "NXDOMAIN"),
		c.equal("another", "NOERROR", "NXDOMAIN"),
		c.holds("soon", true, "never", "within 1s"),
		c.holds("sooner", false, "never", "within 1s"),
	}
	c.summary()
	const want = `ok   a name: NXDOMAIN
FAIL another: got NOERROR, want NXDOMAIN
ok   soon: within 1s
FAIL sooner: got never, want within 1s
2 passed, 2 failed
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	for i, got := range results {
		if want := i%2 == 0; got != want {
			t.Errorf("check %d: got %t, want %t", i, got, want)
		}
	}
}
