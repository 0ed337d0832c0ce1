//go:build integration && linux

package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/mep"
)

// laterKind is a kind of messages, and of objects, that this release does not know.
const laterKind = 99

// TestLaterRelease has a real process talk with a speaker that is of a later release: it sends messages of kinds that are not known, more fields at the
// end of those that are, and a document with kinds and keys of objects that are not. All of it is kept and passed on, and has no effect; what the
// site itself writes does not take it away.
func TestLaterRelease(t *testing.T) {
	t.Parallel()
	l := newDocumentLab(t)
	l.serve("ams", "node-ams.yaml")
	s := l.speak("nyc", "ams", "192.0.2.10")
	seen := s.vector(t)
	service := []byte(`{"addresses":["198.18.101.1"],"later":{"x":1},"name":"web-a","site":"elsewhere"}`)
	object := []byte(`{"later":true}`)
	r := &revision.Revision{Site: "nyc", Dot: revision.Dot{Actor: "later", Seq: 1}, Seen: seen, Time: time.Now().Truncate(time.Microsecond), Author: "kim", Source: "api", Extra: []byte("later"),
		Changes: []revision.Change{{Key: config.ObjectKey{Kind: config.ObjectService, Name: "web-a"}, Hash: sha256.Sum256(service)},
			{Key: config.ObjectKey{Kind: laterKind, Name: "x"}, Hash: sha256.Sum256(object)}}}
	if err := r.Seal(); err != nil {
		t.Fatal(err)
	}
	t.Run("what is not known is kept and told", func(t *testing.T) {
		s.send(t, laterKind, []byte("later"))
		s.send(t, replica.KindHeads, s.heads(r))
		s.send(t, replica.KindRevisions, messageOf(t, r, service, object))
		eventually(t, syncLimit, "what is known of it is served", func() error { return l.answer("a", "198.18.101.1", "ams") })
		l.tellsOfLater(t, r)
	})
	t.Run("a write here keeps it", func(t *testing.T) {
		l.patch("ams", "/v1/services/web-a", addresses("198.18.101.2"))
		if status, answer := l.rest("ams", "GET", "/v1/services/web-a", "application/json", ""); status != "200" || !strings.Contains(answer, `"later":{"x":1}`) || !strings.Contains(answer, "198.18.101.2") {
			t.Errorf("the service is %s %s", status, answer)
		}
		s.asks(t, r, object)
	})
	t.Run("a layout that is not known is refused", func(t *testing.T) {
		next := messageOf(t, r, service)
		next[bytes.IndexByte(next, 1)+3]++ // the layout of the encoding: after flags, count and a length of two octets
		s.send(t, replica.KindRevisions, next)
		eventually(t, syncLimit, "it is told", func() error {
			var sync resource.Sync
			if err := l.get("ams", "/v1/sync", &sync); err != nil {
				return err
			}
			if i := slices.IndexFunc(sync.Peers, func(p resource.SyncPeer) bool { return p.Site == "nyc" }); i < 0 || !sync.Peers[i].Connected || sync.Peers[i].LastError == "" {
				return fmt.Errorf("the peers are %+v", sync.Peers)
			}
			return l.answer("a", "198.18.101.2", "ams")
		})
	})
	t.Run("and is there after a start", func(t *testing.T) {
		l.stop(t, "ams")
		l.serve("ams", "node-ams.yaml")
		s.vector(t)
		s.asks(t, r, object)
		if n := s.count(func(e mep.Event) bool { _, up := e.(*mep.SessionUp); return up }); n != 2 {
			t.Errorf("%d sessions, want one before and one after the start", n)
		}
	})
}

// tellsOfLater checks what a site tells people of what it does not know.
func (l *documentLab) tellsOfLater(t *testing.T, r *revision.Revision) {
	t.Helper()
	var sync resource.Sync
	if err := l.get("ams", "/v1/sync", &sync); err != nil {
		t.Fatal(err)
	}
	if sync.Revision != r.ID || len(sync.Peers) == 0 || sync.Peers[slices.IndexFunc(sync.Peers, func(p resource.SyncPeer) bool { return p.Site == "nyc" })].Version != "9.0.0" {
		t.Errorf("it has revision %s, want %s; peers %+v", sync.Revision, r.ID, sync.Peers)
	}
	told := fmt.Sprintf("%+v", sync.Inert)
	t.Logf("told as without effect: %s", told)
	for _, want := range []string{"later", fmt.Sprint(laterKind)} {
		if !strings.Contains(told, want) {
			t.Errorf("nothing is told of %s: %s", want, told)
		}
	}
}

// speaker is a site that this test plays.
type speaker struct {
	exchange *mep.Exchange
	to       string

	mu     sync.Mutex
	events []mep.Event
}

// speak starts a speaker as a site, in its namespace.
func (l *documentLab) speak(site, to, address string) *speaker {
	l.t.Helper()
	file := func(name string) string { return filepath.Join(l.dir, "pki", name) }
	identity, err := mep.LoadIdentity(file(site+".crt"), file(site+".key"), file("ca.crt"))
	if err != nil {
		l.t.Fatal(err)
	}
	s := &speaker{to: to}
	s.exchange, err = mep.New(mep.Options{Site: site, Node: "later", Listen: documentServer[site] + ":3009", TLS: identity, Receive: s.receive, Services: func() []mep.ServiceRecord { return nil },
		ListenFunc: func(ctx context.Context, network, address string) (net.Listener, error) {
			return inNamespace(l.ns[site], func() (net.Listener, error) { return new(net.ListenConfig).Listen(ctx, network, address) })
		},
		DialFunc: func(ctx context.Context, network, address string) (net.Conn, error) {
			return inNamespace(l.ns[site], func() (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, address) })
		}})
	if err != nil {
		l.t.Fatal(err)
	}
	if err := errors.Join(s.exchange.SetPeers(mep.Peer{Site: site, Address: documentServer[site]}, []mep.Peer{{Site: to, Address: address}}), s.exchange.Listen(l.t.Context())); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.exchange.Run(ctx) }()
	l.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			l.t.Error(err)
		}
	})
	return s
}

// inNamespace does something in a network namespace. Sockets stay in the one in which they were made.
func inNamespace[T any](name string, do func() (T, error)) (out T, err error) {
	runtime.LockOSThread() // and the thread ends with the goroutine, if it cannot go back
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return out, err
	}
	defer unix.Close(home)
	there, err := unix.Open("/var/run/netns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return out, err
	}
	defer unix.Close(there)
	if err := unix.Setns(there, unix.CLONE_NEWNET); err != nil {
		return out, err
	}
	out, err = do()
	if back := unix.Setns(home, unix.CLONE_NEWNET); back != nil {
		return out, back
	}
	runtime.UnlockOSThread()
	return out, err
}

func (s *speaker) receive(e mep.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := e.(type) {
	case *mep.SessionDown: // what was heard before says nothing any more
		s.events = slices.DeleteFunc(s.events, func(e mep.Event) bool { _, said := e.(*mep.ConfigMessage); return said })
	case *mep.ConfigMessage:
		s.events = append(s.events, &mep.ConfigMessage{Peer: m.Peer, Kind: m.Kind, Body: bytes.Clone(m.Body)})
		return
	}
	s.events = append(s.events, e)
}

func (s *speaker) count(which func(mep.Event) bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if which(e) {
			n++
		}
	}
	return n
}

// heard waits for a message of a kind that does.
func (s *speaker) heard(t *testing.T, kind uint8, does func(body []byte) error) {
	t.Helper()
	eventually(t, meetLimit, fmt.Sprintf("a message of kind %d", kind), func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		err := fmt.Errorf("none was heard")
		for _, e := range slices.Backward(s.events) {
			if m, is := e.(*mep.ConfigMessage); is && m.Kind == kind {
				if err = does(m.Body); err == nil {
					return nil
				}
			}
		}
		return err
	})
}

func (s *speaker) send(t *testing.T, kind uint8, body []byte) {
	t.Helper()
	if err := s.exchange.SendConfig(t.Context(), s.to, kind, body); err != nil {
		t.Fatal(err)
	}
}

// vector waits for what the site says that it has.
func (s *speaker) vector(t *testing.T) (v revision.Vector) {
	t.Helper()
	s.heard(t, replica.KindHeads, func(b []byte) (err error) {
		const before = 1 + 8 + 16 + 16 // mode, clock, revision, document
		size, n := binary.Uvarint(b[before:])
		v, _, err = revision.DecodeVector(b[before+n+int(size):])
		return err
	})
	return v
}

// heads says that the speaker has a revision and all that it saw, and more that only a later release knows.
func (s *speaker) heads(r *revision.Revision) []byte {
	b := binary.BigEndian.AppendUint64([]byte{1}, uint64(time.Now().UnixMicro()))
	b = append(b, make([]byte, 16+16)...)
	b = appendString(b, []byte("9.0.0"))
	with := r.Seen.Clone()
	with[r.Dot.Actor] = r.Dot.Seq
	return append(append(b, revision.EncodeVector(with)...), "more"...)
}

func appendString(b, text []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// messageOf is a revision with objects.
func messageOf(t *testing.T, r *revision.Revision, objects ...[]byte) []byte {
	t.Helper()
	encoded, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b := appendString([]byte{0, 1}, encoded)
	for _, o := range objects {
		b = appendString(b, o)
	}
	return b
}

// asks has the site tell its whole state, and an object that it does not know: both have what the later release wrote.
func (s *speaker) asks(t *testing.T, r *revision.Revision, object []byte) {
	t.Helper()
	hash, key := config.ObjectHash(sha256.Sum256(object)), config.ObjectKey{Kind: laterKind, Name: "x"}
	s.send(t, replica.KindWant, []byte{3})
	s.heard(t, replica.KindState, func(b []byte) error {
		state, err := revision.DecodeState(b)
		if err != nil {
			return err
		}
		if !state.Vector().Covers(r.Dot) || state.Winner(key).Hash != hash {
			return fmt.Errorf("the state has %v, and of %s %x", state.Vector(), key, state.Winner(key).Hash)
		}
		return nil
	})
	s.send(t, replica.KindWant, append([]byte{2, 1}, hash[:]...))
	s.heard(t, replica.KindObjects, func(b []byte) error {
		if !bytes.Contains(b, object) {
			return fmt.Errorf("got %q", b)
		}
		return nil
	})
}
