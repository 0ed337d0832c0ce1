package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/revision"
)

// gatheringNode is a node that runs until the test ends, without sockets or files that a bubble would not know, and whose groups are answered when the test
// says so.
func gatheringNode(t *testing.T) (n *Node, answer chan struct{}) {
	t.Helper()
	n = stillNode(t)
	answer = make(chan struct{})
	n.autoscale.ask = func(ctx context.Context, _ *config.Autoscale) (four, six familyAnswer) {
		select {
		case <-answer:
			return familyAnswer{addresses: []netip.Addr{netip.MustParseAddr("192.0.2.77")}}, familyAnswer{}
		case <-ctx.Done():
			return familyAnswer{err: ctx.Err()}, familyAnswer{err: ctx.Err()}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- n.publisher.run(ctx) }()
	go func() { ended <- n.gatherGroups(ctx) }()
	synctest.Wait()
	t.Cleanup(func() {
		stop()
		<-ended
		<-ended
	})
	return n, answer
}

// grouped is objects that make a name be answered by an autoscaled group.
func grouped(t *testing.T) []*config.Object {
	t.Helper()
	var out []*config.Object
	for kind, text := range map[config.ObjectKind]string{
		config.ObjectServiceGroup:  `{"name": "pods", "site": "here", "autoscale": {"name": "pods.test"}}`,
		config.ObjectVirtualServer: `{"name": "www", "domains": [{"name": "www.example.test"}], "method": "round-robin", "members": [{"group": "pods"}]}`,
	} {
		name := map[config.ObjectKind]string{config.ObjectServiceGroup: "pods", config.ObjectVirtualServer: "www"}[kind]
		o, err := config.NewObject(kind, name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, o)
	}
	return out
}

// told reads what /v1/sync says, and returns since when a document waits.
func told(t *testing.T, n *Node, s *resource.Sync) time.Time {
	t.Helper()
	code, text := page(n, "/v1/sync")
	if err := json.Unmarshal([]byte(text), s); code != http.StatusOK || err != nil {
		t.Fatalf("%d %s: %v", code, text, err)
	}
	return s.Gathering
}

// page reads what the interface says.
func page(n *Node, path string) (code int, text string) {
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, path, nil)
	req.Host, req.RemoteAddr = "127.0.0.1", "127.0.0.1:40000"
	n.handler.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

// servedServices names the services of the document that is served.
func servedServices(n *Node) string {
	var out []string
	for _, s := range n.State().Document.Services {
		out = append(out, s.Name)
	}
	return strings.Join(out, " ")
}

// TestNewGroupsDoNotHoldUpWrites: a resolver that is slow to answer for a new group holds up neither that write nor others, and the document before is served
// until it has answered, so that no name is without members.
func TestNewGroupsDoNotHoldUpWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, answer := gatheringNode(t)
		commit := func(put ...*config.Object) time.Duration {
			t.Helper()
			began := time.Now()
			if _, err := n.documents.Commit(t.Context(), &revision.Write{Put: put, Author: "ops", Source: "api", Force: true}); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		if took := commit(grouped(t)...); took > groupPatience {
			t.Errorf("a write with a new group took %v, want at most %v", took, groupPatience)
		}
		if took := commit(webAt(t, "192.0.2.9")); took > groupPatience {
			t.Errorf("the next write took %v, want at most %v", took, groupPatience)
		}
		n.replan()
		synctest.Wait()
		if got := servedServices(n); got != "web" {
			t.Errorf("while the group is asked for, %q are served, want those of the document before", got)
		}
		var sync resource.Sync
		if told(t, n, &sync); sync.Gathering.IsZero() || time.Since(sync.Gathering) > 2*groupPatience {
			t.Errorf("/v1/sync says that it waits since %v", sync.Gathering)
		}
		waits := fmt.Sprintf("revision %.8s waits since %s for what group pods resolves to", sync.Revision, sync.Gathering.Format(time.RFC3339))
		if _, text := page(n, "/readyz?verbose"); !strings.Contains(text, "[+] document: in use since ") || !strings.Contains(text, waits) {
			t.Errorf("/readyz says %s, want that %s", text, waits)
		}
		if code, text := page(n, "/v1/status/document"); code != http.StatusOK || !strings.Contains(text, waits) {
			t.Errorf("the status of the document is %d %s, want that %s", code, text, waits)
		}
		close(answer)
		synctest.Wait()
		if sync = (resource.Sync{}); !told(t, n, &sync).IsZero() {
			t.Errorf("after the answer /v1/sync says that it waits since %v", sync.Gathering)
		}
		for _, path := range []string{"/readyz?verbose", "/v1/status/document"} {
			if _, text := page(n, path); !strings.Contains(text, "2000-01-01T00:00:0") || strings.Contains(text, "waits") {
				t.Errorf("after the answer %s says %s", path, text)
			}
		}
		if got := servedServices(n); got != "web pods:192.0.2.77" {
			t.Errorf("after the answer %q are served, want the group's, too", got)
		}
		if got := n.State().Document.Services[0].Addresses[0].String(); got != "192.0.2.9" {
			t.Errorf("web has %s, want what was written last", got)
		}
	})
}

// TestGroupsThatAnswerAtOnceAreServedAtOnce: when a write is acknowledged its document is served.
func TestGroupsThatAnswerAtOnceAreServedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, answer := gatheringNode(t)
		close(answer)
		if _, err := n.documents.Commit(t.Context(), &revision.Write{Put: grouped(t), Author: "ops", Source: "api", Force: true}); err != nil {
			t.Fatal(err)
		}
		if got := servedServices(n); got != "web pods:192.0.2.77" {
			t.Errorf("when the write is acknowledged %q are served, want the group's, too", got)
		}
	})
}

// TestGroupsThatDoNotAnswerAreServedLater: without an answer the document is served all the same, soon, however many writes come meanwhile.
func TestGroupsThatDoNotAnswerAreServedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _ := gatheringNode(t)
		began := time.Now()
		for i := range 20 {
			if n.State().DocumentID == n.documents.Current().Document && i > 0 {
				break
			}
			if _, err := n.documents.Commit(t.Context(), &revision.Write{Put: append(grouped(t), webAt(t, netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}).String())), Author: "ops", Source: "api", Force: true}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took > 3*firstAnswers {
			t.Errorf("nothing was served for %v", took)
		}
	})
}

// TestGroupsThatFailedHoldUpNothing: once a group is served without an answer, what others write is served at once, also while it is asked for again.
func TestGroupsThatFailedHoldUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _ := gatheringNode(t)
		put := grouped(t)
		for i := range 40 {
			put = append(put, webAt(t, netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}).String()))
			if _, err := n.documents.Commit(t.Context(), &revision.Write{Put: put, Author: "ops", Source: "api", Force: true}); err != nil {
				t.Fatal(err)
			}
			if put = nil; i > 0 && n.State().DocumentID != n.documents.Current().Document {
				t.Errorf("write %d is not served when it is acknowledged", i)
			}
			time.Sleep(2 * firstAnswers)
		}
	})
}
