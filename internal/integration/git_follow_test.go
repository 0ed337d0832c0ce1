//go:build integration && linux

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"fairlead/api/resource"
)

const (
	gitPage = "../../docs/documents-git.md"
	// quickCommits is how many commits are made one after the other, of which every other one is wrong.
	quickCommits = 16
)

// gitLab is a site whose document is in git. Each right commit has its number in three places: in two objects of the document and in the zone file.
type gitLab struct {
	*documentLab
	text    string
	commits int
	right   []int
}

// TestGit has documents come from a git checkout: followed where it is pulled, followed through a link that is switched from one checkout to the
// next, and applied in a loop. Many commits come quickly, half of them wrong; whatever came into effect is one right commit as a whole.
func TestGit(t *testing.T) {
	t.Parallel()
	l := &gitLab{documentLab: newDocumentLab(t)}
	l.text = l.run("cat", "gslb.yaml")
	l.run("git", "init", "-q", "-b", "main", "origin")
	l.commit(true)
	l.run("git", "clone", "-q", "origin", "checkout")
	node := l.run("cat", "node-nyc-follows.yaml")
	t.Run("a checkout that is pulled is followed", func(t *testing.T) {
		l.serveNode(node)
		l.follows(t, func() { l.run("git", "-C", "checkout", "pull", "-q", "--ff-only") })
	})
	t.Run("a link to a checkout is followed", func(t *testing.T) {
		l.stop(t, "nyc")
		l.release()
		l.serveNode(strings.Replace(node, "checkout/gslb.yaml", "current/gslb.yaml", 1))
		l.follows(t, l.release)
	})
	t.Run("a checkout is applied in a loop", func(t *testing.T) {
		l.stop(t, "nyc")
		l.serveNode(strings.Replace(node, "follow:", "seed:", 1))
		l.applies(t)
	})
	t.Run("transcript", func(t *testing.T) { l.tell(t, gitPage) })
}

func (l *gitLab) serveNode(node string) {
	l.t.Helper()
	l.write("node-git.yaml", node)
	l.serve("nyc", "node-git.yaml")
	eventually(l.t, meetLimit, "the site answers", func() error { return l.serves(l.right[len(l.right)-1]) })
}

// commit adds a commit, right or wrong in one of several ways.
func (l *gitLab) commit(right bool) {
	l.t.Helper()
	l.commits++
	n := l.commits
	text := strings.NewReplacer("198.18.100.1]", fmt.Sprintf("198.18.1.%d]", n), "198.18.100.2]", fmt.Sprintf("198.18.2.%d]", n),
		"    nameservers: [ns1.gslb.example.com]\n    ttl: 5s\n    records: \"ns1 3600 A 192.0.2.10\"\n", "    file: zones/gslb.zone\n").Replace(l.text)
	zone := fmt.Sprintf("@ 3600 SOA ns1 hostmaster 1 3600 600 86400 5\n@ 3600 NS ns1\nns1 3600 A 192.0.2.10\ncommit 5 TXT \"%d\"\n", n)
	if right {
		l.right = append(l.right, n)
	} else {
		switch n % 3 {
		case 0:
			text = text[:len(text)/2] // half of it
		case 1:
			text = strings.Replace(text, "{service: web-b}", "{service: web-x}", 1)
		case 2:
			zone = "commit 5 TXX\n"
		}
	}
	if err := os.MkdirAll(filepath.Join(l.dir, "origin", "zones"), 0o755); err != nil {
		l.t.Fatal(err)
	}
	l.write("origin/gslb.yaml", text)
	l.write("origin/zones/gslb.zone", zone)
	l.run("git", "-C", "origin", "add", ".")
	l.run("git", "-C", "origin", "-c", "user.name=operator", "-c", "user.email=operator@example.com", "-c", "commit.gpgsign=false", "commit", "-q", "-m", fmt.Sprintf("commit %d", n))
}

// release checks the newest commit out beside those before, and points a link at it.
func (l *gitLab) release() {
	l.t.Helper()
	l.run("git", "-C", "checkout", "fetch", "-q")
	name := fmt.Sprintf("release-%d", l.commits)
	l.run("git", "-C", "checkout", "worktree", "add", "-q", "--detach", filepath.Join(l.dir, name), "origin/main")
	l.run("ln", "-s", name, "next")
	l.run("mv", "-T", "next", "current")
}

// serves says how the site does not answer by a commit.
func (l *gitLab) serves(n int) error {
	out, err := l.tryIn(wan, "dig", "@"+documentServer["nyc"], "commit.gslb.example.com", "TXT", "+short", "+tries=1", "+time=1")
	if got, want := strings.TrimSpace(out), fmt.Sprintf("%q", fmt.Sprint(n)); err != nil || got != want {
		return fmt.Errorf("the zone file served is of commit %s (%v), want %s", got, err, want)
	}
	return errors.Join(l.answer("a", fmt.Sprintf("198.18.1.%d", n), "nyc"), l.answer("b", fmt.Sprintf("198.18.2.%d", n), "nyc"))
}

// follows makes quick commits, with and without a signal, and others that the site finds by itself.
func (l *gitLab) follows(t *testing.T, publish func()) {
	for i := range quickCommits {
		l.commit(i%2 == 1)
		publish()
		if i%3 > 0 {
			l.site["nyc"].signal(t, syscall.SIGHUP)
		}
	}
	last := l.right[len(l.right)-1]
	eventually(t, syncLimit, "the last commit is served", func() error { return l.serves(last) })
	l.commit(false)
	publish()
	eventually(t, syncLimit, "a wrong one is refused, and told", func() error {
		var status resource.Document
		if err := l.get("nyc", "/v1/status/document", &status); err != nil {
			return err
		}
		if status.LastError == "" {
			return errors.New("nothing is told")
		}
		return l.serves(last)
	})
	l.commit(true)
	publish()
	eventually(t, syncLimit, "the next right one is served", func() error { return l.serves(last + 2) })
	if n := len(l.whole(t)); n < 4 {
		t.Errorf("%d documents came into effect, want more of %d right commits", n, len(l.right))
	}
}

// whole checks that each document that ever came into effect is a right commit as a whole, and returns these commits, newest first.
func (l *gitLab) whole(t *testing.T) (commits []int) {
	t.Helper()
	var list resource.RevisionList
	if err := l.get("nyc", "/v1/revisions?limit=500", &list); err != nil {
		t.Fatal(err)
	}
	for _, r := range list.Revisions {
		text := l.in("nyc", "curl", "-sS", "-H", "Accept: application/yaml", "http://127.0.0.1:8053/v1/revisions/"+r.ID+"/config")
		var of []string
		for _, pattern := range []string{`198\.18\.1\.(\d+)\]`, `198\.18\.2\.(\d+)\]`} {
			if m := regexp.MustCompile(pattern).FindStringSubmatch(text); m != nil {
				of = append(of, m[1])
			}
		}
		zone := regexp.MustCompile(`TXT \\?"(\d+)`).FindStringSubmatch(l.zoneAt(r.ID))
		var n int
		if len(of) == 2 && zone != nil && of[0] == of[1] && of[0] == zone[1] {
			_, _ = fmt.Sscan(of[0], &n)
		}
		if !slices.Contains(l.right, n) {
			t.Errorf("revision %s is no right commit: services %v, zone file %v", r.ID, of, zone)
		}
		commits = append(commits, n)
	}
	t.Logf("came into effect: %v", commits)
	return commits
}

// zoneAt is what a revision did to the zone file.
func (l *gitLab) zoneAt(id string) string {
	l.t.Helper()
	out := l.in("nyc", "curl", "-sS", "http://127.0.0.1:8053/v1/revisions/"+id)
	i := strings.LastIndex(out, "+commit 5 TXT")
	return out[max(i, 0):]
}

// applies pulls and applies, as a script of an operator does it: what is wrong is told, and nothing is written.
func (l *gitLab) applies(t *testing.T) {
	l.say("A script pulls a checkout again and again, and applies what is there: while sleep 60; do git -C checkout pull -q && fairlead apply --yes -f checkout/gslb.yaml; done")
	for _, right := range []bool{true, false, false, false, true} {
		l.commit(right)
		l.run("git", "-C", "checkout", "pull", "-q", "--ff-only")
		status := 1
		if right {
			status = 0
		}
		l.fairlead("nyc", status, "apply", "--yes", "-f", "checkout/gslb.yaml", "--reason", fmt.Sprintf("commit %d", l.commits))
		if err := l.serves(l.right[len(l.right)-1]); err != nil {
			t.Errorf("after commit %d: %v", l.commits, err)
		}
	}
	l.say("The same again writes nothing.")
	l.fairlead("nyc", 0, "apply", "--yes", "-f", "checkout/gslb.yaml")
	l.fairlead("nyc", 0, "history", "--limit", "3")
	if got, want := l.whole(t)[:2], l.right[len(l.right)-2:]; got[0] != want[1] || got[1] != want[0] {
		t.Errorf("newest commits in effect: %v, want %v", got, want)
	}
}
