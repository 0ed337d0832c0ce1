package mep

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	tests := []struct {
		name          string
		site, service bool
	}{
		{"web-1_a.B", true, true},
		{"", false, false},
		{"web:192.0.2.1", false, true},
		{"web:2001-db8--1", false, true},
		{":a", false, false},
		{"a:", false, false},
		{"a:b:c", false, false},
		{"a b", false, false},
		{"ä", false, false},
		{strings.Repeat("a", MaxName), true, true},
		{strings.Repeat("a", MaxName-2) + ":b", false, true},
		{strings.Repeat("a", MaxName) + "b", false, false},
	}
	for _, tt := range tests {
		if got := ValidName(tt.name); got != tt.site {
			t.Errorf("ValidName(%q) = %t, want %t", tt.name, got, tt.site)
		}
		if got := ValidServiceName(tt.name); got != tt.service {
			t.Errorf("ValidServiceName(%q) = %t, want %t", tt.name, got, tt.service)
		}
	}
}

// TestServiceOfAGroup: a record of a service of a group goes over the wire; a site cannot have such a name.
func TestServiceOfAGroup(t *testing.T) {
	records := []ServiceRecord{{Name: "web:192.0.2.1", State: StateUp}}
	_, got, err := decodeServices(encodeServices(samplePrefix(), records), nil)
	if err != nil || len(got) != 1 || got[0].Name != records[0].Name {
		t.Errorf("got %+v, %v", got, err)
	}
	p := samplePrefix()
	p.origin = "web:ams"
	if _, _, err := decodeServices(encodeServices(p, records), nil); err == nil {
		t.Error("a set of a site with a colon in its name was taken")
	}
	h := sampleHello()
	h.Site = "web:ams"
	if _, err := decodeHello(h.append(nil)); err == nil {
		t.Error("a Hello of a site with a colon in its name was taken")
	}
}
