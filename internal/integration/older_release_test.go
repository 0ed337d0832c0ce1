//go:build integration && linux

package integration

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
)

// olderReleases are commits whose command is built and run beside today's.
var olderReleases = []struct {
	name, commit string
	shares       bool // documents
}{
	{"before documents were shared", "c004162b2d72ca7cd3a9996b76dd211702d36109", false},
	{"the first day of sharing documents", "6376d1a20d52604fcfd5353850dfd2d55e91a52e", true},
}

// TestOlderReleases runs a site with today's command and one with an older one. They keep their session, tell each other of health and load, and share
// documents if both can; and the older site is brought up to date in place, with its data directory.
func TestOlderReleases(t *testing.T) {
	if os.Getenv("FAIRLEAD_OLDER_RELEASES") == "" {
		t.Skip("two builds from history take minutes: set FAIRLEAD_OLDER_RELEASES=1")
	}
	for _, tt := range olderReleases {
		t.Run(tt.name, func(t *testing.T) {
			l := &olderLab{documentLab: newDocumentLab(t)}
			l.older = l.buildOlder(tt.commit)
			l.write("gslb.yaml", withServices(l.run("cat", "gslb.yaml")))
			l.serve("ams", "node-ams.yaml")
			l.site["nyc"] = l.start("nyc", "", l.older, "serve", "-f", "node-nyc.yaml", "--drain", "200ms")
			l.exchange(t)
			l.documents(t, tt.shares)
			if err := l.sameSessions(); err != nil {
				t.Error(err)
			}
			l.update(t)
		})
	}
}

// withServices adds services of both sites to the document, with monitors and loads: they are the sites' own name servers. While the sites hear each other,
// only the own site's monitor counts.
func withServices(document string) string {
	return strings.NewReplacer(
		"address: 192.0.2.10}", "address: 192.0.2.10, trigger_monitors: mep-down}",
		"address: 198.51.100.10}", "address: 198.51.100.10, trigger_monitors: mep-down}",
		"\nservices:\n", `
monitors:
  - {name: open, type: tcp, interval: 1s, timeout: 500ms}

services:
  - {name: dns-ams, site: ams, addresses: [192.0.2.10], port: 53, monitors: [open], load: {source: push}}
  - {name: dns-nyc, site: nyc, addresses: [198.51.100.10], port: 53, monitors: [open], load: {source: push}}
`).Replace(document)
}

type olderLab struct {
	*documentLab
	older string
	since map[string]time.Time // of the session, by site
}

// buildOlder builds the command of a commit, or skips the test and says why.
func (l *olderLab) buildOlder(commit string) string {
	l.t.Helper()
	root := strings.TrimSpace(l.run("go", "list", "-m", "-f", "{{.Dir}}"))
	git := func(args ...string) ([]byte, error) {
		return exec.Command("git", append([]string{"-C", root}, args...)...).CombinedOutput()
	}
	if out, err := git("cat-file", "-e", commit+"^{commit}"); err != nil {
		l.t.Skipf("commit %s is not in the history here, which may be shallow: %v: %s", commit, err, out)
	}
	tree := filepath.Join(l.dir, "older")
	l.run("mkdir", tree)
	began := time.Now()
	l.run("sh", "-c", fmt.Sprintf("git -C '%s' archive '%s' | tar -x -C '%s'", root, commit, tree))
	binary := filepath.Join(l.dir, "fairlead-older")
	ctx, cancel := context.WithTimeout(l.t.Context(), 5*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "-C", tree, "build", "-trimpath", "-buildvcs=false", "-o", binary, "./cmd/fairlead").CombinedOutput(); err != nil {
		l.t.Fatalf("build commit %s: %v\n%s", commit, err, out)
	}
	l.t.Logf("built %s in %.0f s", commit, time.Since(began).Seconds())
	return binary
}

// exchange waits until each site has the health and the load of the other's service from the other.
func (l *olderLab) exchange(t *testing.T) {
	for site, own := range map[string]string{"ams": "dns-ams", "nyc": "dns-nyc"} {
		eventually(t, meetLimit, site+" answers", func() error { return l.get(site, "/v1/status/services/"+own, new(resource.Service)) })
		eventually(t, meetLimit, site+" takes a load", func() error {
			if status, answer := l.rest(site, "PUT", "/v1/services/"+own+"/load", "application/json", `{"active":73}`); status != "204" {
				return fmt.Errorf("status %s: %s", status, answer)
			}
			return nil
		})
	}
	for site, other := range map[string]string{"ams": "nyc", "nyc": "ams"} {
		eventually(t, meetLimit, site+" has health and load of the other site", func() error { return l.told(site, other) })
	}
	l.since = map[string]time.Time{}
	for site, other := range map[string]string{"ams": "nyc", "nyc": "ams"} {
		s, err := l.session(site, other)
		if err != nil {
			t.Fatal(err)
		}
		l.since[site] = s
	}
}

// told says what a site lacks of the service of another one.
func (l *olderLab) told(site, other string) error {
	var s resource.Service
	if err := l.get(site, "/v1/status/services/dns-"+other, &s); err != nil {
		return err
	}
	if s.State != "UP" || !strings.Contains(s.Source, other) || s.Load == nil || s.Load.Active != 73 {
		return fmt.Errorf("%s has dns-%s as %s of %q (%s), load %+v", site, other, s.State, s.Source, s.Reason, s.Load)
	}
	return nil
}

// session is since when the session with another site has been up.
func (l *olderLab) session(site, other string) (time.Time, error) {
	var s resource.Site
	if err := l.get(site, "/v1/status/sites/"+other, &s); err != nil {
		return time.Time{}, err
	}
	if s.Peer != resource.PeerUp || s.Since.IsZero() {
		return time.Time{}, fmt.Errorf("at %s, the session with %s is %s (%s)", site, other, s.Peer, s.LastError)
	}
	return s.Since, nil
}

func (l *olderLab) sameSessions() error {
	for site, other := range map[string]string{"ams": "nyc", "nyc": "ams"} {
		now, err := l.session(site, other)
		if err != nil {
			return err
		}
		if !now.Equal(l.since[site]) {
			return fmt.Errorf("at %s, the session with %s is of %v, and was of %v", site, other, now, l.since[site])
		}
	}
	return nil
}

// documents writes at both sites. A site that does not share them goes on with its own.
func (l *olderLab) documents(t *testing.T, shares bool) {
	l.patch("ams", "/v1/services/web-a", addresses("198.18.101.1"))
	if !shares {
		throughout(t, 3*time.Second, "the older site goes on", func() error {
			return cmp.Or(l.answer("a", "198.18.101.1", "ams"), l.answer("a", "198.18.100.1", "nyc"), l.told("ams", "nyc"), l.told("nyc", "ams"))
		})
		return
	}
	eventually(t, syncLimit, "the older site takes a write", func() error { return l.answer("a", "198.18.101.1", "ams", "nyc") })
	l.patch("nyc", "/v1/services/web-b", addresses("198.18.101.2"))
	eventually(t, syncLimit, "a write of the older site is taken", func() error { return cmp.Or(l.answer("b", "198.18.101.2", "ams", "nyc"), l.same("ams", "nyc")) })
}

// update starts the older site again with today's command: its data directory is read, and it has all that the other one has.
func (l *olderLab) update(t *testing.T) {
	l.stop(t, "nyc")
	l.serve("nyc", "node-nyc.yaml")
	eventually(t, meetLimit, "the site is up to date", func() error {
		return cmp.Or(l.connected("nyc", "ams"), l.connected("ams", "nyc"), l.same("ams", "nyc"), l.answer("a", "198.18.101.1", "nyc"), l.noConflicts("ams", "nyc"))
	})
}
