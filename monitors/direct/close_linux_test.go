//go:build !386

package direct

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestLoopClosesInOrder: also where the server has closed its half before, and waits for the other as a proxy does.
func TestLoopClosesInOrder(t *testing.T) {
	for _, tt := range []struct {
		name   string
		closes bool
		until  string
	}{
		{"closed by the server", true, "never"},
		{"answered, and closed by the server", true, "world"},
		{"answered, and open", false, "world"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			saw := make(chan error, 1)
			to := served(t, "127.0.0.1:0", func(c net.Conn) {
				answering(5, "world")(c)
				if tt.closes {
					c.(*net.TCPConn).CloseWrite()
				}
				_, err := c.Read(make([]byte, 1))
				saw <- err
			})
			l, _ := flying(t)
			party := newScripted(until(tt.until))
			if !l.Start(&Exchange{Context: t.Context(), To: to, Deadline: soon(), Request: []byte("hello"), Party: party}) {
				t.Fatal("it was not taken")
			}
			if err := <-party.over; err != nil || party.came[len(party.came)-1] != "world" {
				t.Errorf("done: %v, heard %q", err, party.came)
			}
			if err := <-saw; err != io.EOF {
				t.Errorf("the server saw %v, want %v", err, io.EOF)
			}
		})
	}
}

// TestLoopBooksWhatTakesTime: what goes on for longer is dropped with its context, and ends by its deadline, as what is young does.
func TestLoopBooksWhatTakesTime(t *testing.T) {
	const timeout = 3 * youngFor
	to := served(t, "127.0.0.1:0", holding)
	l, _ := flying(t)
	began := time.Now()
	party := newScripted(until("never"))
	e := &Exchange{Context: t.Context(), To: to, Deadline: began.Add(timeout), Request: []byte("x"), Party: party}
	if !l.Start(e) {
		t.Fatal("it was not taken")
	}
	if err := <-party.over; err != nil {
		t.Error(err)
	}
	if e.Reusable() {
		t.Error("it may become another one, while the end of its context may still be told of")
	}
	if took := time.Since(began); took < timeout || took > time.Minute {
		t.Errorf("it ended after %v, want %v", took, timeout)
	}
	if l.young.first != nil || l.young.last != nil || len(l.deadlines) != 0 {
		t.Error("it is still in the books")
	}
}

// TestYoungGrowUpInOrder, whoever leaves before.
func TestYoungGrowUpInOrder(t *testing.T) {
	var y young
	began := time.Unix(1e9, 0)
	all := make([]*Exchange, 6)
	for i := range all {
		all[i] = new(Exchange)
		y.add(all[i], began.Add(time.Duration(i)*time.Millisecond))
	}
	for _, i := range []int{0, 3, 3, 5} {
		y.remove(all[i])
	}
	if e := y.grownUp(began.Add(youngFor)); e != nil {
		t.Error("one grew up too early")
	}
	for _, i := range []int{1, 2, 4} {
		if e := y.grownUp(began.Add(youngFor + 4*time.Millisecond)); e != all[i] {
			t.Errorf("%d is not next", i)
		}
	}
	if y.first != nil || y.last != nil {
		t.Error("some are left")
	}
}

// TestLoopBeginsTogether: what is started together begins afterwards, and all of it.
func TestLoopBeginsTogether(t *testing.T) {
	to := served(t, "127.0.0.1:0", holding)
	l, _ := flying(t)
	exchanges := make([]Exchange, 3)
	var made time.Time
	l.Together(func() {
		for i := range exchanges {
			exchanges[i] = Exchange{Context: t.Context(), To: to, Deadline: soon(), Party: newScripted(nil)}
			if !l.Start(&exchanges[i]) {
				t.Fatal("it was not taken")
			}
		}
		made = time.Now()
	})
	for i := range exchanges {
		if err := <-exchanges[i].Party.(*scripted).over; err != nil || exchanges[i].Began.Before(made) {
			t.Errorf("exchange %d: %v, begun %v before the last was made", i, err, made.Sub(exchanges[i].Began))
		}
	}
	behind := &Loop{open: true, first: make(chan struct{}, 1)}
	behind.Together(func() {
		behind.Start(&Exchange{Context: t.Context(), To: to, Deadline: soon(), Party: newScripted(nil)})
		if behind.roused {
			t.Error("it is told of the first alone")
		}
	})
	if !behind.roused {
		t.Error("it is not told")
	}
	many := &Loop{open: true, first: make(chan struct{}, 1)}
	many.Together(func() {
		for i := range maxTogether {
			if many.roused {
				t.Fatalf("it is told of %d", i)
			}
			many.Start(&Exchange{Context: t.Context(), To: to, Deadline: soon(), Party: newScripted(nil)})
		}
		if !many.roused {
			t.Error("it is not told of many before the last is made")
		}
	})
}
