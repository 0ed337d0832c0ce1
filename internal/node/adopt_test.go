package node_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/internal/node"
	"fairlead/sites"
)

// TestTheDocumentIsToldBeforeItsTopology: no session of a new document begins while other sites would be told that this one has the
// old one, however long the first snapshot takes.
func TestTheDocumentIsToldBeforeItsTopology(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	p.write(document("192.0.2.1"))
	p.config.MEP = config.NodeMEP{Listen: "127.0.0.1:0", Insecure: true}
	dialled, served := make(chan struct{}, 100), make(chan string, 100)
	n, _ := p.serve(func(o *node.Options) {
		o.MEPDial = func(context.Context, string, string) (net.Conn, error) {
			dialled <- struct{}{}
			return nil, errors.New("refused")
		}
		o.Transition = func(tr sites.Transition) {
			if tr.Service != "late" {
				return
			}
			select {
			case <-dialled:
				served <- "before"
			case <-time.After(300 * time.Millisecond):
				served <- "after"
			}
		}
	})
	eventually(t, n, "www.example.test", "192.0.2.1")
	text := strings.Replace(document("192.0.2.2"), "sites: [{name: here, address: 127.0.0.1}]", "sites: [{name: here, address: 127.0.0.1}, {name: there, address: 127.0.0.2, dial: never}]", 1)
	text = strings.Replace(text, "services: [", "services: [{name: late, site: here, addresses: [192.0.2.9]}, ", 1)
	p.write(text)
	if err := n.Reload(); err != nil {
		t.Fatal(err)
	}
	eventually(t, n, "www.example.test", "192.0.2.2")
	if got := <-served; got != "after" {
		t.Error("a site of the new document was dialled before the document was served")
	}
	select {
	case <-dialled:
	case <-time.After(patience):
		t.Error("the new site was not dialled")
	}
}
