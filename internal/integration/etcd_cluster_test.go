//go:build integration && linux

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fairlead/internal/testkit/faultproxy"
)

// TestEtcdCluster: two nodes, as processes, on three members of etcd that fail.
func TestEtcdCluster(t *testing.T) {
	t.Parallel()
	l := newEtcdLab(t, newEtcdCluster(t), "", "ams", "nyc")
	w := &etcdWriter{l: l}
	t.Run("etcdctl sees the document", l.seen)
	t.Run("members go while it is written", func(t *testing.T) { l.membersGo(t, w) })
	t.Run("slow, cut and half open", func(t *testing.T) { l.spoiltWays(t, w) })
	t.Run("all go, and one returns", func(t *testing.T) { l.allGo(t, w) })
	w.check(t)
	l.tell(t)
}

// seen writes, and looks with etcdctl.
func (l *etcdLab) seen(t *testing.T) {
	l.shell("fairlead patch service/web-a -p '{\"addresses\":[\"198.18.102.1\"]}' --reason renumbered", 0)
	for _, command := range []string{"etcdctl get --prefix /fairlead/objects/service/web-a/", "etcdctl get /fairlead/head"} {
		if out := l.shell(command, 0); !strings.Contains(out, "198.18.102.1") && !strings.Contains(out, `"reason":"renumbered"`) {
			t.Errorf("%s shows\n%s", command, out)
		}
	}
	for site, result := range map[string]string{"ams": "written", "nyc": "merged"} {
		eventually(t, 5*time.Second, site+" counts the revision", func() error {
			_, metrics, err := l.site[site].get("/metrics")
			zero := fmt.Sprintf("fairlead_config_revisions_total{result=%q} 0\n", result)
			if name, _, _ := strings.Cut(zero, " "); err == nil && (!strings.Contains(metrics, name) || strings.Contains(metrics, zero)) {
				err = fmt.Errorf("%s is absent, or 0", name)
			}
			return err
		})
	}
}

// tell writes the transcript to the documentation when that is wanted, and else checks that the documentation shows the same commands.
func (l *etcdLab) tell(t *testing.T) {
	const file, begin, end = "../../docs/etcd.md", "<!-- transcript -->\n```\n", "```\n<!-- end -->"
	docs, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(docs), begin)
	shown, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the transcript", file)
	}
	text := l.transcript.String()
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

// etcdWriter writes services one after the other, each until it is acknowledged, and remembers which.
type etcdWriter struct {
	l       *etcdLab
	mu      sync.Mutex
	acked   []string
	refused []string // said not to have been written, and never tried again
	unclear int
	longest time.Duration // between two acknowledged writes
	failed  []string
}

// write writes one service at a node until that is acknowledged.
func (w *etcdWriter) write(s *etcdSite, name string, limit time.Duration) error {
	for start := time.Now(); ; {
		r := s.put(name, "198.18.101.1")
		if r.status == http.StatusCreated || r.status == http.StatusOK {
			w.mu.Lock()
			w.acked = append(w.acked, name)
			w.mu.Unlock()
			return nil
		}
		w.mu.Lock()
		w.failed = append(w.failed, name+": "+r.String())
		if r.code == "outcome-unknown" {
			w.unclear++
		}
		w.mu.Unlock()
		if r.status != http.StatusServiceUnavailable || r.code != "not-stored" && r.code != "outcome-unknown" {
			return fmt.Errorf("%s was answered %s", name, r)
		}
		if time.Since(start) > limit {
			return fmt.Errorf("%s is not written after %v: %s", name, limit, r)
		}
		<-time.After(100 * time.Millisecond)
	}
}

// run writes at a node until stop is closed.
func (w *etcdWriter) run(s *etcdSite, prefix string, stop chan struct{}) error {
	last := time.Now()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return nil
		case <-time.After(100 * time.Millisecond):
		}
		if err := w.write(s, fmt.Sprintf("%s-%03d", prefix, i), 20*time.Second); err != nil {
			return err
		}
		w.mu.Lock()
		w.longest = max(w.longest, time.Since(last))
		w.mu.Unlock()
		last = time.Now()
	}
}

func (w *etcdWriter) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

// more waits until some more writes are acknowledged.
func (w *etcdWriter) more(t *testing.T, n int, limit time.Duration) {
	t.Helper()
	before := w.count()
	eventually(t, limit, fmt.Sprintf("%d more writes", n), func() error {
		if got := w.count() - before; got < n {
			return fmt.Errorf("%d were acknowledged", got)
		}
		return nil
	})
}

// check holds both nodes against what was acknowledged: nothing is lost, nothing was made twice, nothing that was said not to be written is there.
func (w *etcdWriter) check(t *testing.T) {
	t.Helper()
	ams, nyc := w.l.site["ams"], w.l.site["nyc"]
	eventually(t, 15*time.Second, "both nodes have the same", func() error {
		a, err := ams.sync()
		if err != nil {
			return err
		}
		b, err := nyc.sync()
		if err == nil && (a.Revision != b.Revision || a.Document != b.Document) {
			err = fmt.Errorf("revision %s and %s", a.Revision, b.Revision)
		}
		return err
	})
	a, b := ams.history(), nyc.history()
	if len(a) != len(b) {
		t.Errorf("the histories have %d and %d lines", len(a), len(b))
	}
	made := map[string]int{}
	for i := range min(len(a), len(b)) {
		if made[a[i].Reason]++; a[i].ID != b[i].ID {
			t.Fatalf("line %d is %s at ams and %s at nyc", i, a[i].ID, b[i].ID)
		}
	}
	for _, name := range w.acked {
		if err := errors.Join(ams.has(name), nyc.has(name)); err != nil || made[name] != 1 {
			t.Errorf("%s was acknowledged: %v, made %d times", name, err, made[name])
		}
	}
	for _, name := range w.refused {
		if ams.has(name) == nil || made[name] != 0 {
			t.Errorf("%s was said not to be written, and is there", name)
		}
	}
	t.Logf("%d writes acknowledged, the longest time between two %.1f s, %d whose outcome was not known at first; %d refused for good; answers 503: %s", len(w.acked), w.longest.Seconds(), w.unclear,
		len(w.refused), strings.Join(w.failed, "\n"))
}

// leader returns the member that leads.
func (l *etcdLab) leader(t *testing.T) *etcdServer {
	t.Helper()
	var out *etcdServer
	eventually(t, 10*time.Second, "etcd has a leader", func() error {
		for _, m := range l.members {
			if m.cmd == nil {
				continue
			}
			var list []struct {
				Status struct {
					Header struct {
						Member uint64 `json:"member_id"`
					}
					Leader uint64
				}
			}
			if err := json.Unmarshal([]byte(m.ctl("endpoint", "status", "-w", "json")), &list); err != nil {
				return err
			}
			if s := list[0].Status; s.Leader != 0 && s.Leader == s.Header.Member {
				out = m
				return nil
			}
		}
		return errors.New("none leads")
	})
	return out
}

// membersGo kills members, and moves the lead, while both nodes write.
func (l *etcdLab) membersGo(t *testing.T, w *etcdWriter) {
	stop, errs := make(chan struct{}), make(chan error, 2)
	for name, s := range l.site {
		go func() { errs <- w.run(s, name, stop) }()
	}
	w.more(t, 4, 10*time.Second)
	leader := l.leader(t)
	follower := l.members[0]
	if follower == leader {
		follower = l.members[1]
	}
	follower.kill()
	w.more(t, 10, 10*time.Second)
	follower.start()
	w.more(t, 4, 10*time.Second)
	leader.kill()
	w.more(t, 10, 15*time.Second)
	leader.start()
	w.more(t, 4, 10*time.Second)
	leads := l.leader(t)
	var target *etcdServer
	for _, m := range l.members {
		if m != leads {
			target = m
		}
	}
	var id struct {
		Header struct {
			Member uint64 `json:"member_id"`
		}
	}
	if err := json.Unmarshal([]byte(target.ctl("get", "x", "-w", "json")), &id); err != nil {
		t.Fatal(err)
	}
	leads.ctl("move-leader", fmt.Sprintf("%x", id.Header.Member))
	w.more(t, 10, 10*time.Second)
	if now := l.leader(t); now == leads {
		t.Error("the lead has not moved")
	}
	close(stop)
	if err := errors.Join(<-errs, <-errs); err != nil {
		t.Error(err)
	}
}

// spoiltWays writes over connections that are slow, that lose what etcd answers, and that are open at one end alone.
func (l *etcdLab) spoiltWays(t *testing.T, w *etcdWriter) {
	ams := l.site["ams"]
	slow := faultproxy.Fault{Delay: 150 * time.Millisecond, Jitter: 30 * time.Millisecond}
	l.faults(slow, slow)
	for _, after := range []time.Duration{900, 1300} { // when it looks, and when it moves the head
		after *= time.Millisecond
		name := fmt.Sprintf("cut-%d", after.Milliseconds())
		answered := make(chan etcdReply, 1)
		go func() { answered <- ams.put(name, "198.18.101.1") }()
		timer := time.NewTimer(after)
		<-timer.C
		l.faults(slow, faultproxy.Fault{Swallow: true})
		r := <-answered
		t.Logf("what etcd answers is lost %v after a write was sent: %s", after, r)
		l.mend()
		w.failed = append(w.failed, name+": "+r.String())
		switch {
		case r.status == http.StatusCreated:
			w.acked = append(w.acked, name)
		case r.code == "outcome-unknown":
			w.unclear++
			if err := w.write(ams, name, 20*time.Second); err != nil {
				t.Error(err)
			}
		case r.status == http.StatusServiceUnavailable && r.code == "not-stored":
			w.refused = append(w.refused, name)
		default:
			t.Errorf("%s was answered %s", name, r)
		}
		if r.took > 25*time.Second {
			t.Errorf("%s was answered after %v", name, r.took)
		}
		ams.is(true, 20*time.Second)
		l.faults(slow, slow)
	}
	if err := w.write(ams, "slow", 0); err != nil {
		t.Errorf("a write with 300 ms to etcd and back: %v", err)
	}
	l.mend()
	ams.is(true, 10*time.Second)
	for _, p := range l.proxies {
		p.HalfOpen(faultproxy.ToTarget)
	}
	if err := w.write(ams, "half-open", 15*time.Second); err != nil {
		t.Error(err)
	}
}

// allGo kills all members, starts a node meanwhile, and brings the members back one by one.
func (l *etcdLab) allGo(t *testing.T, w *etcdWriter) {
	ams, nyc := l.site["ams"], l.site["nyc"]
	before, err := ams.sync()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "nyc has what ams wrote last", func() error { // its connections were half open, too
		now, err := nyc.sync()
		if err == nil && now.Revision != before.Revision {
			err = fmt.Errorf("it has revision %s, want %s", now.Revision, before.Revision)
		}
		return err
	})
	for _, m := range l.members {
		m.kill()
	}
	for _, s := range l.site {
		s.is(false, 10*time.Second)
	}
	if r := ams.put("gone", "198.18.101.1"); r.code != "not-stored" || r.took > 6*time.Second || !strings.Contains(r.detail, "nothing was written") {
		t.Errorf("a write without etcd: %s", r)
	}
	w.refused = append(w.refused, "gone")
	nyc.stop(syscall.SIGKILL)
	nyc.log = new(lockedBuffer)
	nyc.start()
	sync, err := nyc.sync()
	if err != nil || sync.Revision != before.Revision || !strings.Contains(sync.Unavailable, "this node serves revision "+before.Revision[:8]+", written 20") {
		t.Errorf("a node that was started without etcd: %+v, %v", sync, err)
	}
	l.transcript.WriteString("\n# All members of etcd are gone. DNS is answered.\n")
	l.shell("fairlead patch service/web-b -p '{\"addresses\":[\"198.18.102.2\"]}' --reason renumbered", 1)
	l.shell("fairlead sync status", 0)
	l.shell("curl -s http://$FAIRLEAD_API/readyz?verbose", 0)
	if text := nyc.log.String(); !strings.Contains(text, "config.unavailable") || !strings.Contains(text, `"age":`) {
		t.Errorf("it does not log how old its document is:\n%s", tail(text, 10))
	}
	throughout(t, time.Second, "both answer DNS and can be read", func() error {
		return errors.Join(ams.answers(), nyc.answers(), ams.has("slow"), nyc.has("slow"))
	})
	l.members[0].launch()
	l.members[0].listens()
	if r := ams.put("minority", "198.18.101.1"); r.code != "not-stored" {
		t.Errorf("a write with one member of three: %s", r)
	}
	w.refused = append(w.refused, "minority")
	if yes, err := nyc.available(); err != nil || yes {
		t.Errorf("with one member of three: %v, %v", yes, err)
	}
	for _, m := range l.members[1:] {
		m.start()
	}
	start := time.Now()
	for _, s := range l.site {
		s.is(true, 20*time.Second)
	}
	if err := w.write(nyc, "returned", 5*time.Second); err != nil {
		t.Error(err)
	}
	l.transcript.WriteString("\n# They are back.\n")
	l.shell("fairlead sync status", 0)
	t.Logf("written again %.1f s after etcd had returned", time.Since(start).Seconds())
}
