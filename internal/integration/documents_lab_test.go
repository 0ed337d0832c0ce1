//go:build integration && linux

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
)

// Where the sites of TestDocuments are, and from where clients ask them.
var (
	documentPlaces = []place{
		{wan, []string{"203.0.113.10/24"}},
		{"ams", []string{"192.0.2.10/24"}},
		{"nyc", []string{"198.51.100.10/24"}},
		{"sin", []string{"198.18.3.10/24"}},
		{"shop", []string{"198.18.4.10/24"}},
	}
	documentServer = map[string]string{"ams": "192.0.2.10", "nyc": "198.51.100.10", "sin": "198.18.3.10", "shop": "198.18.4.10"}
)

const (
	// syncLimit is how long sites that hear each other may take until they have the same document, on a busy machine.
	syncLimit = 10 * time.Second
	// meetLimit is how long they may take until they hear each other.
	meetLimit = 30 * time.Second
	// transcriptWanted names the variable with which the test writes its transcript to docs.
	transcriptWanted = "FAIRLEAD_WRITE_TRANSCRIPT"
	transcriptFile   = "../../docs/documents-split.md"
)

// documentLab is a lab whose sites write documents.
type documentLab struct {
	*lab
	site       map[string]*process
	by         []string // what the command is run by, as in "env NAME=VALUE fairlead"; empty: by nothing
	transcript strings.Builder
}

func newDocumentLab(t *testing.T) *documentLab {
	l := &documentLab{lab: newLab(t, filepath.Join("testdata", "documents"), documentPlaces, "nft", "dig", "curl", "git"), site: map[string]*process{}}
	l.run(l.binary, "pki", "init")
	for site := range documentServer {
		l.run(l.binary, "pki", "issue", site)
	}
	return l
}

// serve starts a site's process with a node file.
func (l *documentLab) serve(site, file string) {
	l.t.Helper()
	l.site[site] = l.start(site, "", l.binary, "serve", "-f", file, "--drain", "200ms")
}

// cut loses all that comes from one of two sites at the other.
func (l *documentLab) cut(a, b string) {
	l.t.Helper()
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		l.in(pair[0], "nft", "add table inet fault; add chain inet fault in { type filter hook input priority 0; }; add rule inet fault in ip saddr "+documentServer[pair[1]]+" drop")
	}
}

func (l *documentLab) mend(sites ...string) {
	l.t.Helper()
	for _, s := range sites {
		l.in(s, "nft", "delete table inet fault")
	}
}

// fairlead runs a command at a site, as an operator would, and returns what it printed; it must exit with a status. What is shown goes into the
// transcript, too.
func (l *documentLab) fairlead(site string, status int, args ...string) string {
	l.t.Helper()
	words := slices.Concat(l.by, []string{l.binary}, args)
	out, err := l.tryIn(site, words[0], words[1:]...)
	if got := exitCode(err); got != status {
		l.t.Fatalf("at %s, fairlead %s: exit status %d, want %d\n%s", site, strings.Join(args, " "), got, status, out)
	}
	fmt.Fprintf(&l.transcript, "%s$ fairlead %s\n", site, shellWords(args))
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "warning: ") { // each write tells again that services here have no monitors
			l.transcript.WriteString(line)
		}
	}
	return out
}

// say adds what an operator thinks to the transcript.
func (l *documentLab) say(format string, args ...any) {
	fmt.Fprintf(&l.transcript, "\n# "+format+"\n", args...)
}

// shellWords writes arguments as they would be typed.
func shellWords(args []string) string {
	plain := regexp.MustCompile(`^[-\w./=:,]+$`)
	words := make([]string, 0, len(args))
	for _, a := range args {
		if !plain.MatchString(a) {
			a = "'" + a + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

// rest sends a request with a body to a site's API by curl and returns the status and what it answered.
func (l *documentLab) rest(site, method, path, kind, body string) (status, answer string) {
	l.t.Helper()
	out := l.in(site, "curl", "-sS", "--max-time", "10", "-X", method, "-H", "Content-Type: "+kind, "--data-binary", body, "-w", "\n%{http_code}", "http://127.0.0.1:8053"+path)
	i := strings.LastIndexByte(out, '\n')
	return out[i+1:], out[:i]
}

// patch changes an object by REST; it must be acknowledged.
func (l *documentLab) patch(site, path, body string) {
	l.t.Helper()
	if status, answer := l.rest(site, "PATCH", path, "application/merge-patch+json", body); status != "200" {
		l.t.Fatalf("PATCH %s at %s: status %s\n%s", path, site, status, answer)
	}
}

// get reads what a site's API says.
func (l *documentLab) get(site, path string, into any) error {
	out, err := l.tryIn(site, "curl", "-sS", "--max-time", "10", "http://127.0.0.1:8053"+path)
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		return fmt.Errorf("%w in %s", err, out)
	}
	return nil
}

// exitCode is the exit status of a command; -1 when it did not run.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// same says how the documents of some sites differ.
func (l *documentLab) same(sites ...string) error {
	var first resource.Sync
	for i, site := range sites {
		var here resource.Sync
		if err := l.get(site, "/v1/sync", &here); err != nil {
			return err
		}
		if i == 0 {
			first = here
		}
		if here.Document != first.Document || here.Revision != first.Revision {
			return fmt.Errorf("%s has document %.8s of revision %.8s, %s has %.8s of %.8s", sites[0], first.Document, first.Revision, site, here.Document, here.Revision)
		}
	}
	return nil
}

// connected says which of the others a site does not hear.
func (l *documentLab) connected(site string, others ...string) error {
	var sync resource.Sync
	if err := l.get(site, "/v1/sync", &sync); err != nil {
		return err
	}
	heard := map[string]bool{}
	for _, p := range sync.Peers {
		heard[p.Site] = p.Connected
	}
	for _, o := range others {
		if !heard[o] {
			return fmt.Errorf("%s does not hear %s", site, o)
		}
	}
	return nil
}

// answer asks some sites for a name; all must answer with one address.
func (l *documentLab) answer(name, want string, sites ...string) error {
	for _, site := range sites {
		out, err := l.tryIn(wan, "dig", "@"+documentServer[site], name+".gslb.example.com", "A", "+short", "+tries=1", "+time=1")
		if got := strings.TrimSpace(out); err != nil || got != want {
			return fmt.Errorf("%s answers %s with %q (%v), want %s", site, name, got, err, want)
		}
	}
	return nil
}

// until asks as often as it can until there is no error any more, and returns how long that took.
func until(t *testing.T, limit time.Duration, what string, check func() error) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		err := check()
		took := time.Since(start)
		if err == nil {
			t.Logf("%s: after %.0f ms", what, took.Seconds()*1000)
			return took
		}
		if took > limit {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
	}
}

// tell writes the transcript to the documentation when that is wanted, and else checks that the documentation shows the same commands.
func (l *documentLab) tell(t *testing.T, file string) {
	t.Helper()
	docs, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- transcript -->\n```\n", "```\n<!-- end -->"
	before, rest, found := strings.Cut(string(docs), begin)
	shown, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the transcript", file)
	}
	text := strings.TrimLeft(l.transcript.String(), "\n")
	if os.Getenv(transcriptWanted) != "" {
		if err := os.WriteFile(file, []byte(before+begin+text+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, want := commandsIn(shown), commandsIn(text); got != want {
		t.Errorf("%s shows\n%s\nthe test ran\n%s\nset %s to write it anew", file, got, want, transcriptWanted)
	}
}

// commandsIn is the commands of a transcript, without revisions: they are others in each run.
func commandsIn(transcript string) string {
	var out strings.Builder
	for line := range strings.Lines(transcript) {
		if regexp.MustCompile(`^\w+\$ `).MatchString(line) {
			out.WriteString(regexp.MustCompile(`\b[0-9a-f]{8}\b`).ReplaceAllString(line, "REVISION"))
		}
	}
	return out.String()
}
