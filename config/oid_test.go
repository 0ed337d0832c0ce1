package config

import (
	"slices"
	"strings"
	"testing"
)

func TestValidOID(t *testing.T) {
	for _, good := range []string{"1.3", "0.0", "2.39.4294967295", ".1.3.6.1.2.1.1.3.0", strings.Repeat("1.", 127) + "1"} {
		if !ValidOID(good) {
			t.Errorf("%s is refused", good)
		}
	}
	for _, bad := range []string{"", ".", "1", "1.", "3.1", "1.40", "1.3.06", "1.3.-1", "1.3.+1", "1.3.4294967296", "1..3", "..1.3", "1.3.x", "1.3 ", strings.Repeat("1.", 128) + "1"} {
		if ValidOID(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestParseOIDSum(t *testing.T) {
	if got := ParseOIDSum("1.3.6.1+ .1.3.6.2 "); !slices.Equal(got, []string{"1.3.6.1", ".1.3.6.2"}) {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"", "+", "1.3.6.1 1.3.6.2", "1.3.6.1 +", "1.3.6.1 - 1.3.6.2", strings.Repeat("1.3+", maxOIDSum) + "1.3"} {
		if got := ParseOIDSum(bad); got != nil {
			t.Errorf("%q gave %q", bad, got)
		}
	}
}
