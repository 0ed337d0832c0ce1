//go:build integration && linux

package integration

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead/api/resource"
)

// TestDocuments lets operators write at every site, as processes of the real command in network namespaces: cut from each other, killed, with lost
// data directories, old seeds, a child that is told, and a file in git that is followed.
func TestDocuments(t *testing.T) {
	t.Parallel()
	l := newDocumentLab(t)
	l.serve("ams", "node-ams.yaml")
	l.serve("nyc", "node-nyc.yaml")
	eventually(t, meetLimit, "both sites hear each other", func() error {
		return cmp.Or(l.connected("ams", "nyc"), l.connected("nyc", "ams"), l.same("ams", "nyc"))
	})
	t.Run("a write is in the answers of the other", l.written)
	t.Run("split", l.split)
	t.Run("healed", l.healed)
	t.Run("transcript", func(t *testing.T) { l.tell(t, transcriptFile) })
	t.Run("killed after a write", l.killed)
	t.Run("a data directory is lost", l.lostStore)
	t.Run("a site joins with an older seed", l.joins)
	t.Run("a child is told", l.child)
	t.Run("a write that nobody confirms", l.unconfirmed)
	t.Run("a file in git is followed", l.follows)
}

func addresses(address string) string { return fmt.Sprintf(`{"addresses":[%q]}`, address) }

func (l *documentLab) written(t *testing.T) {
	l.patch("ams", "/v1/services/web-a", addresses("198.18.101.1"))
	if err := l.answer("a", "198.18.101.1", "ams"); err != nil {
		t.Errorf("a write that is acknowledged is served: %v", err)
	}
	until(t, syncLimit, "nyc answers by what was written at ams", func() error { return l.answer("a", "198.18.101.1", "nyc") })
	if err := l.same("ams", "nyc"); err != nil {
		t.Error(err)
	}
}

// split cuts the sites and lets both be written.
func (l *documentLab) split(t *testing.T) {
	l.cut("ams", "nyc")
	eventually(t, meetLimit, "both notice", func() error {
		if l.connected("ams", "nyc") == nil || l.connected("nyc", "ams") == nil {
			return fmt.Errorf("still connected")
		}
		return nil
	})
	l.say("The sites do not hear each other. Operators go on at both.")
	l.fairlead("ams", 0, "patch", "service/web-a", "-p", addresses("198.18.102.1"), "--reason", "renumbered")
	l.fairlead("nyc", 0, "patch", "service/web-b", "-p", addresses("198.18.102.2"), "--reason", "renumbered")
	l.say("Both change the same service; nyc is the later one.")
	l.fairlead("ams", 0, "patch", "service/web-d", "-p", addresses("198.18.102.4"), "--reason", "rack 4")
	l.fairlead("nyc", 0, "patch", "service/web-d", "-p", addresses("198.18.103.4"), "--reason", "rack 7")
	l.say("One takes a service into use, the other removes it.")
	l.fairlead("ams", 0, "patch", "virtual-server/b", "-p", `{"members":[{"service":"web-b"},{"service":"web-c","order":2}]}`, "--reason", "a spare")
	l.fairlead("nyc", 0, "delete", "service/web-c", "--reason", "not used")
	l.fairlead("ams", 0, "sync", "status")
	for _, err := range []error{
		l.answer("a", "198.18.102.1", "ams"), l.answer("a", "198.18.101.1", "nyc"), l.answer("b", "198.18.100.2", "ams"), l.answer("b", "198.18.102.2", "nyc"),
		l.answer("d", "198.18.102.4", "ams"), l.answer("d", "198.18.103.4", "nyc"),
	} {
		if err != nil {
			t.Errorf("each half answers by what was written there: %v", err)
		}
	}
}

// healed joins the sites again and settles what they disagree about.
func (l *documentLab) healed(t *testing.T) {
	l.mend("ams", "nyc")
	both := []string{"ams", "nyc"}
	eventually(t, meetLimit, "both have the same document", func() error { return cmp.Or(l.connected("ams", "nyc"), l.connected("nyc", "ams"), l.same(both...)) })
	for name, want := range map[string]string{"a": "198.18.102.1", "b": "198.18.102.2", "d": "198.18.103.4"} {
		if err := l.answer(name, want, both...); err != nil {
			t.Errorf("what was written last is answered by both: %v", err)
		}
	}
	l.say("The sites hear each other again, and both say the same.")
	l.fairlead("ams", 0, "sync", "status")
	l.fairlead("nyc", 0, "sync", "status")
	l.fairlead("nyc", 1, "sync", "conflicts")
	var lost resource.ConflictSide
	for _, site := range both {
		lost = l.disagreement(t, site)
		if err := l.told(site); err != nil {
			t.Error(err)
		}
	}
	l.say("ams was right about the service, and the spare has to go.")
	l.fairlead("nyc", 0, "sync", "resolve", "service/web-d", "--keep", lost.Revision[:8], "--reason", "rack 4 it is")
	l.fairlead("nyc", 0, "patch", "virtual-server/b", "-p", `{"members":[{"service":"web-b"}]}`, "--reason", "web-c is gone")
	eventually(t, syncLimit, "both have settled it", func() error {
		return cmp.Or(l.same(both...), l.answer("d", "198.18.102.4", both...))
	})
	for _, site := range both {
		l.fairlead(site, 0, "sync", "conflicts")
		if l.told(site) == nil {
			t.Errorf("%s still tells of the removed service", site)
		}
	}
	l.fairlead("ams", 0, "history")
	l.say("The second service was right before; it alone is brought back.")
	l.fairlead("ams", 0, "restore", "--object", "service/web-b", "--from", lost.Revision[:8], "--reason", "the old machine it is")
	until(t, syncLimit, "one object is brought back, and all else stays", func() error {
		return cmp.Or(l.answer("b", "198.18.100.2", both...), l.answer("a", "198.18.102.1", both...), l.answer("d", "198.18.102.4", both...))
	})
}

// disagreement checks the one conflict that there is, and returns the side that does not count.
func (l *documentLab) disagreement(t *testing.T, site string) resource.ConflictSide {
	t.Helper()
	var list resource.ConflictList
	if err := l.get(site, "/v1/sync/conflicts", &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Conflicts) != 1 || len(list.Conflicts[0].Losers) != 1 {
		t.Fatalf("at %s: got %+v, want one conflict of two sides", site, list.Conflicts)
	}
	c := list.Conflicts[0]
	lost := c.Losers[0]
	for _, want := range []struct {
		side                  resource.ConflictSide
		site, reason, address string
	}{{c.Winner, "nyc", "rack 7", "198.18.103.4"}, {lost, "ams", "rack 4", "198.18.102.4"}} {
		if s := want.side; s.Site != want.site || s.Reason != want.reason || s.Author == "" || !strings.Contains(string(s.Object), want.address) {
			t.Errorf("at %s: got side %+v, want %+v and an author", site, s, want)
		}
	}
	return lost
}

// told says whether a site tells that a member of the virtual server has no effect.
func (l *documentLab) told(site string) error {
	var sync resource.Sync
	if err := l.get(site, "/v1/sync", &sync); err != nil {
		return err
	}
	for _, f := range sync.Inert {
		if strings.HasPrefix(f.Pointer, "/objects/virtual-server~1b/members/1") {
			return nil
		}
	}
	return fmt.Errorf("%s says nothing of the member that was removed: %+v", site, sync.Inert)
}

// killed kills a process right after a write was acknowledged, while nobody else can have it.
func (l *documentLab) killed(t *testing.T) {
	l.cut("ams", "nyc")
	l.patch("nyc", "/v1/services/web-a", addresses("198.18.104.1"))
	l.site["nyc"].signal(t, syscall.SIGKILL)
	l.site["nyc"].exited(t, 5*time.Second)
	l.serve("nyc", "node-nyc.yaml")
	eventually(t, meetLimit, "the write was kept", func() error { return l.answer("a", "198.18.104.1", "nyc") })
	l.mend("ams", "nyc")
	eventually(t, meetLimit, "and reaches the other site", func() error { return cmp.Or(l.answer("a", "198.18.104.1", "ams"), l.same("ams", "nyc")) })
}

// lostStore takes a site's data directory away while it is down. Its seed, which is as old as both sites, brings nothing back.
func (l *documentLab) lostStore(t *testing.T) {
	l.stop(t, "nyc")
	l.patch("ams", "/v1/services/web-b", addresses("198.18.105.2"))
	if err := os.RemoveAll(filepath.Join(l.dir, "data-nyc")); err != nil {
		t.Fatal(err)
	}
	l.serve("nyc", "node-nyc.yaml")
	eventually(t, meetLimit, "the site has all from the other", func() error { return l.same("ams", "nyc") })
	if err := cmp.Or(l.answer("a", "198.18.104.1", "ams", "nyc"), l.answer("b", "198.18.105.2", "ams", "nyc"), l.noConflicts("ams", "nyc")); err != nil {
		t.Error(err)
	}
	if status, _ := l.rest("nyc", "GET", "/v1/services/web-c", "application/json", ""); status != "404" {
		t.Errorf("a service that was removed: status %s, want 404", status)
	}
}

// stop ends a site's process as planned.
func (l *documentLab) stop(t *testing.T, site string) {
	t.Helper()
	l.site[site].signal(t, syscall.SIGTERM)
	if code := l.site[site].exited(t, 15*time.Second); code != 0 {
		t.Fatalf("%s exited with %d", site, code)
	}
}

func (l *documentLab) noConflicts(sites ...string) error {
	for _, site := range sites {
		var list resource.ConflictList
		if err := l.get(site, "/v1/sync/conflicts", &list); err != nil {
			return err
		}
		if len(list.Conflicts) > 0 {
			return fmt.Errorf("%s has conflicts: %+v", site, list.Conflicts)
		}
	}
	return nil
}

// joins starts a third site whose seed is another one, and older.
func (l *documentLab) joins(t *testing.T) {
	l.serve("sin", "node-sin.yaml")
	all := []string{"ams", "nyc", "sin"}
	eventually(t, meetLimit, "three sites have the same document", func() error { return cmp.Or(l.connected("sin", "ams", "nyc"), l.same(all...)) })
	if err := cmp.Or(l.answer("a", "198.18.104.1", all...), l.answer("b", "198.18.105.2", all...), l.noConflicts(all...)); err != nil {
		t.Error(err)
	}
	for _, gone := range []string{"web-old", "web-c"} {
		if status, _ := l.rest("sin", "GET", "/v1/services/"+gone, "application/json", ""); status != "404" {
			t.Errorf("%s, of the old seed: status %s, want 404", gone, status)
		}
	}
}

// child starts a site that only takes documents.
func (l *documentLab) child(t *testing.T) {
	l.serve("shop", "node-shop.yaml")
	eventually(t, meetLimit, "the child has its parent's document", func() error { return l.same("ams", "shop") })
	l.patch("nyc", "/v1/services/web-b", addresses("198.18.106.2"))
	until(t, syncLimit, "the child has what was written elsewhere", func() error { return l.has("shop", "web-b", "198.18.106.2") })
	l.refused(t, "shop")
}

// has says whether a site, which need not answer DNS, has a service with an address.
func (l *documentLab) has(site, service, address string) error {
	var got struct{ Addresses []string }
	if err := l.get(site, "/v1/services/"+service, &got); err != nil {
		return err
	}
	if len(got.Addresses) != 1 || got.Addresses[0] != address {
		return fmt.Errorf("at %s, %s has %v, want %s", site, service, got.Addresses, address)
	}
	return nil
}

// refused checks that nothing is written at a site.
func (l *documentLab) refused(t *testing.T, site string) {
	t.Helper()
	if status, answer := l.rest(site, "PATCH", "/v1/services/web-b", "application/merge-patch+json", addresses("198.18.1.1")); status != "409" {
		t.Errorf("a write at %s: status %s, want 409\n%s", site, status, answer)
	}
	l.fairlead(site, 4, "patch", "service/web-b", "-p", addresses("198.18.1.1"))
}

// unconfirmed makes a write that is undone by itself, at all sites.
func (l *documentLab) unconfirmed(t *testing.T) {
	all := []string{"ams", "nyc", "sin"}
	l.fairlead("ams", 0, "patch", "service/web-a", "-p", addresses("198.18.107.1"), "--confirm", "5s")
	until(t, 5*time.Second, "all answer by it", func() error { return l.answer("a", "198.18.107.1", all...) })
	eventually(t, 5*time.Second+syncLimit, "it is undone", func() error { return l.answer("a", "198.18.104.1", all...) })
	eventually(t, syncLimit, "all have the same document, the child, too", func() error { return l.same(append(all, "shop")...) })
}

// follows has a site follow a file of a git checkout, which changes as git changes files.
func (l *documentLab) follows(t *testing.T) {
	l.stop(t, "nyc")
	origin, document := filepath.Join(l.dir, "origin"), filepath.Join(l.dir, "origin", "gslb.yaml")
	git := func(dir string, args ...string) {
		t.Helper()
		l.run("git", append([]string{"-C", dir, "-c", "user.name=operator", "-c", "user.email=operator@example.com", "-c", "commit.gpgsign=false"}, args...)...)
	}
	l.run("git", "init", "-q", "-b", "main", origin)
	text := l.in("ams", "curl", "-sS", "-H", "Accept: application/yaml", "http://127.0.0.1:8053/v1/config")
	commit := func(address string) {
		t.Helper()
		next := strings.Replace(text, "198.18.104.1", address, 1)
		if next == text && address != "198.18.104.1" {
			t.Fatalf("no address in\n%s", text)
		}
		if err := os.WriteFile(document, []byte(next), 0o600); err != nil {
			t.Fatal(err)
		}
		git(origin, "add", "gslb.yaml")
		git(origin, "commit", "-q", "-m", "a is "+address)
	}
	commit("198.18.104.1")
	l.run("git", "clone", "-q", origin, filepath.Join(l.dir, "checkout"))
	l.serve("nyc", "node-nyc-follows.yaml")
	eventually(t, meetLimit, "the site that follows hears the others", func() error { return l.connected("nyc", "ams", "sin") })
	for i := range 3 {
		address := fmt.Sprintf("198.18.108.%d", i+1)
		commit(address)
		git(filepath.Join(l.dir, "checkout"), "pull", "-q", "--ff-only")
		eventually(t, syncLimit, "all answer by the commit", func() error {
			return cmp.Or(l.answer("a", address, "nyc", "ams", "sin"), l.has("shop", "web-a", address))
		})
	}
	l.refused(t, "nyc")
	l.refused(t, "ams")
	if err := l.same("ams", "nyc", "sin", "shop"); err != nil {
		t.Error(err)
	}
}
