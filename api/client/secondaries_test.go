package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"fairlead/adns/transfer"
	"fairlead/api"
	"fairlead/api/client"
	"fairlead/api/resource"
)

func TestSecondaries(t *testing.T) {
	const zones = 2100 // three pages; every third one fails
	var all []transfer.SecondaryStatus
	for i := range zones {
		s := transfer.SecondaryStatus{Zone: fmt.Sprintf("z%04d.example.", i), Served: true}
		if i%3 == 0 {
			s.Failure = "timeout"
		}
		all = append(all, s)
	}
	h, err := api.New(api.Options{State: func() *api.State { return nil }, Secondaries: func() []transfer.SecondaryStatus { return all }})
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, h)
	tests := []struct {
		name   string
		filter client.SecondaryFilter
		want   int
		more   bool
	}{
		{"all", client.SecondaryFilter{}, zones, false},
		{"some", client.SecondaryFilter{Most: 1500}, 1500, true},
		{"exactly all", client.SecondaryFilter{Most: zones}, zones, false},
		{"failing", client.SecondaryFilter{Failing: true}, zones / 3, false},
		{"some that fail", client.SecondaryFilter{Failing: true, Most: 20}, 20, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := c.Secondaries(t.Context(), test.filter)
			if err != nil {
				t.Fatal(err)
			}
			if want := (resource.SecondaryCounts{Served: zones, Failing: zones / 3}); got.Counts != want || got.At.IsZero() {
				t.Errorf("counts %+v at %s, want %+v", got.Counts, got.At, want)
			}
			if len(got.Secondaries) != test.want || (got.NextCursor != "") != test.more {
				t.Fatalf("%d zones, cursor %q; want %d, more: %t", len(got.Secondaries), got.NextCursor, test.want, test.more)
			}
			for i, s := range got.Secondaries {
				if test.filter.Failing && s.Failure == "" || i > 0 && got.Secondaries[i-1].Zone >= s.Zone {
					t.Fatalf("%+v is at %d", s, i)
				}
			}
		})
	}
}

// TestSecondariesOfAnOlderNode: a node that lacks the resource can be told from one that fails.
func TestSecondariesOfAnOlderNode(t *testing.T) {
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "nothing is here"}`))
	}))
	var missing *client.NotFound
	if _, err := c.Secondaries(t.Context(), client.SecondaryFilter{}); !errors.As(err, &missing) {
		t.Errorf("error %v, want NotFound", err)
	}
}
