package etcdstore

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
)

// slow is a compiler that takes as long as that of a large document.
type slow struct{ *plain }

func (s slow) Compile(ctx context.Context, o *config.Objects, lenient bool) (replica.Candidate, error) {
	time.Sleep(20 * time.Millisecond)
	return s.plain.Compile(ctx, o, lenient)
}

// TestTurns: a node that has to take in what another one writes without a pause comes to write all the same.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := newFakeEtcd()
		busy, late := startNode(t, etcd, "ams", nil), startNode(t, etcd, "nyc", nil)
		busy.opts.Compiler, late.opts.Compiler = slow{busy.compiler}, slow{late.compiler}
		busy.Engine.opts.Compiler, late.Engine.opts.Compiler = busy.opts.Compiler, late.opts.Compiler
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan int)
		go func() {
			n := 0
			for ; ctx.Err() == nil; n++ {
				busy.write(t, &revision.Write{Put: []*config.Object{service(t, "a", fmt.Sprintf("192.0.2.%d", n%250))}})
			}
			ended <- n
		}()
		for i := range 3 {
			began := time.Now()
			late.write(t, &revision.Write{Put: []*config.Object{service(t, "b", fmt.Sprintf("192.0.2.%d", i+1))}})
			if took := time.Since(began); took > time.Second {
				t.Errorf("write %d took %v", i, took)
			}
			etcd.mu.Lock()
			_, there := etcd.items[turnKey]
			etcd.mu.Unlock()
			if there {
				t.Error("the turn has not ended with the write")
			}
			time.Sleep(time.Second / 4)
		}
		cancel()
		if n := <-ended; n < 20 {
			t.Errorf("the other node came to write %d times", n)
		}
		// A turn that nobody ends does not stop anybody for long.
		etcd.set(item{key: turnKey})
		began := time.Now()
		late.write(t, &revision.Write{Put: []*config.Object{service(t, "b", "192.0.2.200")}})
		if took := time.Since(began); took < turnFor || took > turnFor+time.Second {
			t.Errorf("the turn of a node that is gone was waited for during %v, want %v", took, turnFor)
		}
	})
}
