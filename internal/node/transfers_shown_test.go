package node_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"fairlead/internal/node"
)

// shows waits until what the node's API says at path has every one of some texts.
func shows(t *testing.T, n *node.Node, path string, want ...string) {
	t.Helper()
	// No connection may outlast the test.
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	deadline := time.After(patience)
	for {
		response, err := c.Get(fmt.Sprintf("http://%s%s", n.APIAddr(), path))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		missing := ""
		for _, text := range want {
			if !strings.Contains(string(body), text) {
				missing = text
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s lacks %s:\n%.3000s", path, missing, body)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestTransfersAreShown: both ends of a transfer tell of it, and of a primary that is gone.
func TestTransfersAreShown(t *testing.T) {
	t.Parallel()
	first, second := newPlace(t, true), newPlace(t, true)
	first.withKey()
	second.withKey()
	first.write(strings.Replace(document("192.0.2.1"), "ttl: 7s", "ttl: 7s\n    serial: 5\n    transfer: {allow: [\"key:fetch\"]}", 1))
	primary, stopPrimary := first.serve(nil)
	address := primary.DNSAddrs()[0].String()
	second.write(secondaryDocument(address))
	secondary, stop := second.serve(nil)

	shows(t, secondary, "/v1/status/secondaries", `"zone":"example.test."`, `"serial":5`, `"confirmed":"`, `"served":true`, `"failing":0`)
	shows(t, secondary, "/metrics", `fairlead_secondary_zones{state="served"} 1`, `fairlead_secondary_oldest_confirmation_age_seconds `)
	shows(t, primary, "/metrics", `fairlead_transfers_total{result="whole"} 1`)
	shows(t, primary, "/v1/status/secondaries", `"secondaries":[]`)

	stop()
	stopPrimary()
	second.config.DataDir += "-empty"
	again, _ := second.serve(nil)
	shows(t, again, "/v1/status/secondaries", `"served":false`, `"failure":"`+address, `"failing":1`)
	shows(t, again, "/metrics", `fairlead_secondary_zones{state="unserved"} 1`, "fairlead_secondary_zones_failing 1")
}
