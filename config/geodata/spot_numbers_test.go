package geodata

import "testing"

// TestSpotsAreNumberedOnce holds that each of many spots has a number of its own and keeps it, while the table grows.
func TestSpotsAreNumberedOnce(t *testing.T) {
	c := newCollection()
	spotOf := func(i int) Spot { return Spot{Latitude: int32(i), Longitude: int32(i % 7), Sources: 1} }
	const n = 20 * leastSpotSlots
	for round := range 2 {
		for i := range n {
			if got, err := c.spot(spotOf(i)); err != nil || got != uint32(i+1) {
				t.Fatalf("round %d, spot %d: got number %d, %v", round, i, got, err)
			}
		}
	}
	if len(c.spots) != n+1 {
		t.Errorf("got %d spots, want %d", len(c.spots), n+1)
	}
	used := 0
	for _, e := range c.numbers.slots {
		if e != 0 {
			used++
		}
	}
	if used != n || 2*used > len(c.numbers.slots) {
		t.Errorf("%d of %d slots are used for %d spots", used, len(c.numbers.slots), n)
	}
}

// TestSpotsWithOneHash holds that spots are told apart by more than their hash.
func TestSpotsWithOneHash(t *testing.T) {
	x, spots := newSpotNumbers(), []Spot{{}, {Latitude: 1}, {Latitude: 2}}
	number, entry := x.find(&spots[2], spots)
	if number != 0 {
		t.Fatalf("found as %d before it was added", number)
	}
	x.add(entry, 1) // as if spot 1 had that hash
	if number, _ = x.find(&spots[2], spots); number != 0 {
		t.Errorf("got the number %d of another spot with the same hash", number)
	}
	x.add(entry, 2)
	if number, _ = x.find(&spots[2], spots); number != 2 {
		t.Errorf("got number %d, want 2", number)
	}
}
