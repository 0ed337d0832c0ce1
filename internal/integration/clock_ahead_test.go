//go:build integration && linux

package integration

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
)

// aheadVariable is how far ahead the clock of a process is, in seconds. It exists in the binary of this test alone.
const aheadVariable = "FAIRLEAD_TEST_CLOCK_AHEAD"

// clockPage is where the transcript of TestClockAhead is shown.
const clockPage = "../../docs/documents-clock.md"

// clockLab is three sites whose processes have clocks of their own.
type clockLab struct {
	*documentLab
	ahead map[string]time.Duration
}

// TestClockAhead has a site whose clock is ten minutes ahead. It goes on and is told so, others wait with what it wrote; nothing of that is lost when
// its clock is right again.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	l := &clockLab{documentLab: newDocumentLab(t), ahead: map[string]time.Duration{"nyc": 10 * time.Minute}}
	l.binary = l.buildWithClock()
	l.write("node-sin.yaml", strings.Replace(l.run("cat", "node-sin.yaml"), "gslb-old.yaml", "gslb.yaml", 1))
	for _, site := range clockSites {
		l.serve(site)
	}
	eventually(t, meetLimit, "all hear each other and begin with the same document", l.meet)
	t.Run("its writes wait at the others", l.waits)
	t.Run("both sides say so", l.says)
	t.Run("its clock is right again", l.right)
	t.Run("time passes", l.later)
	t.Run("transcript", func(t *testing.T) { l.tell(t, clockPage) })
}

var clockSites = []string{"ams", "nyc", "sin"}

// serve starts a site with its clock.
func (l *clockLab) serve(site string) {
	l.t.Helper()
	log, err := os.OpenFile(l.log(site), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = log.Close() })
	l.site[site] = l.startWatched(site, "", log, "env", fmt.Sprintf("%s=%d", aheadVariable, int(l.ahead[site].Seconds())), l.binary, "serve", "-f", "node-"+site+".yaml", "--drain", "200ms")
}

// fairlead runs a command at a site, with the clock that is there.
func (l *clockLab) fairlead(site string, status int, args ...string) {
	l.t.Helper()
	l.by = []string{"env", fmt.Sprintf("%s=%d", aheadVariable, int(l.ahead[site].Seconds()))}
	l.documentLab.fairlead(site, status, args...)
}

func (l *clockLab) log(site string) string { return filepath.Join(l.dir, "log-"+site) }

// restart starts sites again, with the clocks that they have now.
func (l *clockLab) restart(t *testing.T, sites ...string) {
	t.Helper()
	for _, site := range sites {
		l.stop(t, site)
		l.serve(site)
	}
}

func (l *clockLab) meet() error {
	return cmp.Or(l.connected("ams", "nyc", "sin"), l.connected("nyc", "ams", "sin"), l.connected("sin", "ams", "nyc"), l.same(clockSites...))
}

func (l *clockLab) waits(t *testing.T) {
	l.say("The clock at nyc is ten minutes ahead. What is written there is served there.")
	l.fairlead("nyc", 0, "patch", "service/web-a", "-p", addresses("198.18.102.1"), "--reason", "renumbered")
	l.fairlead("nyc", 0, "patch", "service/web-d", "-p", addresses("198.18.102.4"), "--reason", "rack 7")
	eventually(t, syncLimit, "the others have heard of it", func() error { return cmp.Or(l.waiting("ams", 2), l.waiting("sin", 2)) })
	l.say("Others go on meanwhile, also with the same service; nyc takes what they write.")
	l.fairlead("ams", 0, "patch", "service/web-b", "-p", addresses("198.18.103.2"), "--reason", "renumbered")
	l.fairlead("sin", 0, "patch", "service/web-d", "-p", addresses("198.18.103.4"), "--reason", "rack 4")
	eventually(t, syncLimit, "each answers by what it takes", func() error {
		return cmp.Or(l.answer("a", "198.18.102.1", "nyc"), l.answer("a", "198.18.100.1", "ams", "sin"), l.answer("b", "198.18.103.2", clockSites...),
			l.answer("d", "198.18.102.4", "nyc"), l.answer("d", "198.18.103.4", "ams", "sin"))
	})
}

// waiting says how a site's quarantine is not some revisions of nyc that are of a later time than the site's.
func (l *clockLab) waiting(site string, want int) error {
	var sync resource.Sync
	if err := l.get(site, "/v1/sync", &sync); err != nil {
		return err
	}
	if len(sync.Quarantine) != want {
		return fmt.Errorf("%s waits with %+v, want %d", site, sync.Quarantine, want)
	}
	for _, q := range sync.Quarantine {
		if q.Revision.Site != "nyc" || !strings.Contains(q.Why, "ahead of this site's clock") {
			return fmt.Errorf("at %s: %+v", site, q)
		}
	}
	return nil
}

// says looks at what people are told: in the status of documents, the list of peers, the log and the metrics.
func (l *clockLab) says(t *testing.T) {
	l.say("Both sides say why.")
	l.fairlead("ams", 0, "sync", "status")
	l.fairlead("nyc", 0, "sync", "status")
	for _, tt := range []struct {
		site, of   string
		skew       float64
		said       string // by the list of peers
		event      string
		quarantine string
	}{
		{"ams", "nyc", 600, "", "config.quarantined", "2"},
		{"nyc", "ams", -600, "the clock here is 10m0s ahead", "config.clock.ahead", "0"},
	} {
		var list resource.PeerList
		if err := l.get(tt.site, "/v1/status/peers", &list); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list.Peers, func(p resource.Peer) bool { return p.Site == tt.of })
		if p := list.Peers[i]; p.ClockSkewSeconds == nil || math.Abs(*p.ClockSkewSeconds-tt.skew) > 2 || p.Document == nil || !strings.Contains(p.Document.LastError, tt.said) {
			t.Errorf("%s says of %s %+v %+v, want %v seconds and %q", tt.site, tt.of, p, p.Document, tt.skew, tt.said)
		}
		if log := l.run("cat", l.log(tt.site)); !strings.Contains(log, `"`+tt.event+`"`) {
			t.Errorf("the log of %s has no %s", tt.site, tt.event)
		}
		if metrics, want := l.in(tt.site, "curl", "-sS", "http://127.0.0.1:8053/metrics"), "\nfairlead_config_quarantine "+tt.quarantine+"\n"; !strings.Contains(metrics, want) {
			t.Errorf("the metrics of %s have no%s", tt.site, want)
		}
	}
}

// right starts nyc with the right clock. What it wrote still is of a time to come, and so is what it writes now, since it is after that.
func (l *clockLab) right(t *testing.T) {
	l.ahead["nyc"] = 0
	l.restart(t, "nyc")
	eventually(t, meetLimit, "the sites hear each other", func() error { return cmp.Or(l.connected("nyc", "ams", "sin"), l.connected("ams", "nyc")) })
	l.say("The clock at nyc is right again.")
	l.fairlead("nyc", 0, "patch", "service/web-c", "-p", addresses("198.18.102.3"), "--reason", "renumbered")
	eventually(t, syncLimit, "what it wrote still waits, and what came after it", func() error { return cmp.Or(l.waiting("ams", 3), l.waiting("sin", 3)) })
	if err := cmp.Or(l.answer("a", "198.18.102.1", "nyc"), l.answer("d", "198.18.102.4", "nyc")); err != nil {
		t.Errorf("what was acknowledged there is served there: %v", err)
	}
}

// later has all clocks go on by five minutes: processes that are started again then.
func (l *clockLab) later(t *testing.T) {
	for _, site := range clockSites {
		l.ahead[site] = 5*time.Minute + 10*time.Second
	}
	l.restart(t, clockSites...)
	eventually(t, meetLimit, "all have the same document", l.meet)
	l.say("Five minutes later all is at all sites; of the service that was changed twice, both sides are kept.")
	l.fairlead("ams", 0, "sync", "status")
	l.fairlead("ams", 1, "sync", "conflicts")
	for _, site := range clockSites {
		if err := cmp.Or(l.answer("a", "198.18.102.1", site), l.answer("b", "198.18.103.2", site), l.has(site, "web-c", "198.18.102.3"), l.answer("d", "198.18.102.4", site),
			l.waiting(site, 0), l.bothSides(site)); err != nil {
			t.Error(err)
		}
	}
}

// bothSides says how a site's conflicts are not the one of web-d, between what nyc and what sin wrote.
func (l *clockLab) bothSides(site string) error {
	var list resource.ConflictList
	if err := l.get(site, "/v1/sync/conflicts", &list); err != nil {
		return err
	}
	if len(list.Conflicts) != 1 || len(list.Conflicts[0].Losers) != 1 {
		return fmt.Errorf("%s has conflicts %+v, want one of two sides", site, list.Conflicts)
	}
	won, lost := list.Conflicts[0].Winner, list.Conflicts[0].Losers[0]
	if won.Site != "nyc" || !strings.Contains(string(won.Object), "198.18.102.4") || lost.Site != "sin" || !strings.Contains(string(lost.Object), "198.18.103.4") {
		return fmt.Errorf("%s has the sides %+v and %+v", site, won, lost)
	}
	return nil
}

// buildWithClock builds the command with a time.Now that adds what the environment says: no namespace has a clock of its own, and what shifts the
// clock of C programs does not reach Go. All of the process has that clock: documents, certificates, sessions and logs.
func (l *documentLab) buildWithClock() string {
	l.t.Helper()
	source := filepath.Join(strings.TrimSpace(l.run("go", "env", "GOROOT")), "src", "time", "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		l.t.Fatal(err)
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), now) != 1 {
		l.t.Fatalf("%s has another Now than this test knows", source)
	}
	changed := strings.Replace(string(text), now, now+"\tsec += ahead\n", 1)
	changed = strings.Replace(changed, "\nimport (\n", "\nimport (\n\t\"syscall\"\n", 1) + `
var ahead = func() (seconds int64) {
	text, _ := syscall.Getenv("` + aheadVariable + `")
	for _, c := range text {
		seconds = seconds*10 + int64(c-'0')
	}
	return seconds
}()
`
	l.write("time.go", changed)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {source: filepath.Join(l.dir, "time.go")}})
	if err != nil {
		l.t.Fatal(err)
	}
	l.write("overlay.json", string(overlay))
	binary := filepath.Join(l.dir, "fairlead-with-clock")
	began := time.Now()
	l.run("go", "build", "-overlay", filepath.Join(l.dir, "overlay.json"), "-gcflags=all=-N -l -dwarf=false", "-ldflags=-s -w", "-o", binary, "fairlead/cmd/fairlead")
	l.t.Logf("built with another clock in %.0f s", time.Since(began).Seconds())
	return binary
}

func (l *documentLab) write(file, text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, file), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}
