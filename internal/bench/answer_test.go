package bench

import (
	"testing"

	"github.com/miekg/dns"
)

// FuzzAnswer holds the checker against a full decoder: what it calls right must be what it looks like, and no message makes
// it panic or touches a slot that is not its own.
func FuzzAnswer(f *testing.F) {
	q := someQueries(f, nil)
	good := reply(q.message(0))
	f.Add(good)
	f.Add(good[:12])
	f.Add(good[:len(good)-1])
	f.Add(append([]byte{0, 1}, good...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, message []byte) {
		l := newLane(4, newRandom())
		id := l.take(0, 0, 0)
		s := l.find(message)
		if s == nil {
			return
		}
		if s.id != id || len(message) < headerOctets {
			t.Fatalf("found slot %v for a message of %d octets", s, len(message))
		}
		if (Expectation{}).judge(message, q.question(0)) != right {
			return
		}
		var m dns.Msg
		if err := m.Unpack(message); err != nil {
			return // the checker does not parse records
		}
		if !m.Response || m.Opcode != 0 || m.Truncated || m.Rcode&maskRcode != 0 || len(m.Question) != 1 {
			t.Errorf("right, but it is %v", m.MsgHdr)
			return
		}
		var asked dns.Msg
		if err := asked.Unpack(q.message(0)); err != nil {
			t.Fatal(err)
		}
		if m.Question[0] != asked.Question[0] {
			t.Errorf("right, but it answers %v and not %v", m.Question[0], asked.Question[0])
		}
	})
}

// FuzzFrames cuts a stream at any place and expects the same messages.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 1, 'a', 0, 0, 0, 2, 'b', 'c', 9}, 3)
	f.Add([]byte{0xff, 0xff, 1}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		if step < 1 || len(stream) > 4096 {
			return
		}
		cut := func(step int) (messages []string) {
			fr := newFrames()
			for rest := stream; len(rest) > 0; {
				n := copy(fr.room(), rest[:min(step, len(rest))])
				if n == 0 {
					t.Fatal("no room to read to")
				}
				fr.each(n, func(m []byte) { messages = append(messages, string(m)) })
				rest = rest[n:]
			}
			return messages
		}
		whole, parts := cut(len(stream)), cut(step)
		if len(whole) != len(parts) {
			t.Fatalf("got %q in steps of %d, %q at once", parts, step, whole)
		}
		for i := range whole {
			if whole[i] != parts[i] {
				t.Fatalf("got %q in steps of %d, %q at once", parts, step, whole)
			}
		}
	})
}
