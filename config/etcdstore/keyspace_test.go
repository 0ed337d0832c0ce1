package etcdstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// fakeEtcd is a keyspace in memory with what tests need of etcd: versions, compare, and the ways in which it fails.
type fakeEtcd struct {
	mu      sync.Mutex
	cluster uint64
	version int64
	items   map[string]item
	changed chan struct{} // closed at each change

	down      error // every request fails
	swallow   error // commit does what it is asked, and fails
	after     error // every request fails after that
	holdBack  bool  // the next commit fails, and late does what it was asked
	late      func()
	afterHeld error        // every request fails after that
	refuse    error        // nothing can be written
	meanwhile func()       // is run before the next commit, without the lock
	watching  func() error // what ends a watch; nil: nothing
	requests  int
	most      int // prefixes that one answer has room for; 0: maxOps
}

func newFakeEtcd() *fakeEtcd {
	return &fakeEtcd{cluster: 1, version: 1, items: map[string]item{}, changed: make(chan struct{})}
}

func (f *fakeEtcd) dial(Access) (keyspace, error) { return f, nil }

func (f *fakeEtcd) close() error { return nil }

// backup returns what restore makes of another etcd.
func (f *fakeEtcd) backup() *fakeEtcd {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &fakeEtcd{cluster: f.cluster, version: f.version, items: maps.Clone(f.items), changed: make(chan struct{})}
}

func (f *fakeEtcd) restore(b *fakeEtcd) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version, f.items = b.version, maps.Clone(b.items)
}

func (f *fakeEtcd) setDown(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = err
}

func (f *fakeEtcd) setRefuse(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = err
}

// asked is how many requests there were.
func (f *fakeEtcd) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

func (f *fakeEtcd) begin() error {
	f.mu.Lock()
	f.requests++
	return f.down
}

func (f *fakeEtcd) sorted(keep func(string) bool) []item {
	var out []item
	for k, it := range f.items {
		if keep(k) {
			out = append(out, it)
		}
	}
	slices.SortFunc(out, func(a, b item) int { return cmp.Compare(a.key, b.key) })
	return out
}

func (f *fakeEtcd) read(_ context.Context, prefixes ...string) ([][]item, moment, error) {
	err := f.begin()
	defer f.mu.Unlock()
	if err != nil {
		return nil, moment{}, err
	}
	if len(prefixes) > maxOps {
		return nil, moment{}, errors.New("too many operations")
	}
	if f.most > 0 && len(prefixes) > f.most {
		return nil, moment{}, errTooMuch
	}
	var out [][]item
	for _, p := range prefixes {
		out = append(out, f.sorted(func(k string) bool { return strings.HasPrefix(k, p) }))
	}
	return out, moment{f.cluster, f.version}, nil
}

func (f *fakeEtcd) scan(_ context.Context, from, to string, limit int64, _ bool) ([]item, error) {
	err := f.begin()
	defer f.mu.Unlock()
	all := f.sorted(func(k string) bool { return k >= from && k < to })
	return all[:min(len(all), int(limit))], err
}

func (f *fakeEtcd) set(items ...item) {
	f.version++
	for _, it := range items {
		it.version = f.version
		f.items[it.key] = it
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakeEtcd) put(_ context.Context, items []item) error {
	err := f.begin()
	defer f.mu.Unlock()
	for _, it := range items {
		if len(it.value) > maxChunk {
			return errors.New("request is too large")
		}
	}
	if err == nil {
		err = f.refuse
	}
	if err == nil {
		f.set(items...)
	}
	return err
}

func (f *fakeEtcd) commit(_ context.Context, m *move) (bool, int64, error) {
	if then := f.meanwhile; then != nil {
		f.meanwhile = nil
		then()
	}
	err := f.begin()
	defer f.mu.Unlock()
	if err == nil {
		err = f.refuse
	}
	if err == nil && f.holdBack {
		f.holdBack, f.down = false, f.afterHeld
		f.late = func() { _, _, _ = f.commit(context.Background(), m) }
		return false, 0, fmt.Errorf("%w: deadline exceeded", errNoAnswer)
	}
	_, present := f.items[m.present]
	_, taken := f.items[m.absent]
	switch {
	case err != nil:
		return false, 0, err
	case f.items[m.key].version != m.version || m.present != "" && !present || m.absent != "" && taken:
		return false, f.version, nil
	}
	put := m.put
	if m.once != nil {
		put = append(slices.Clone(put), *m.once)
	}
	for _, k := range m.remove {
		delete(f.items, k)
	}
	f.set(put...)
	if f.swallow != nil {
		err, f.swallow = fmt.Errorf("%w: %w", errNoAnswer, f.swallow), nil
		if f.after != nil {
			f.down = f.after
		}
	}
	return err == nil, f.version, err
}

func (f *fakeEtcd) probe(context.Context) error {
	err := f.begin()
	defer f.mu.Unlock()
	if err == nil {
		err = f.refuse
	}
	return err
}

func (f *fakeEtcd) trim(_ context.Context, prefix string, keep int64) (int, error) {
	err := f.begin()
	defer f.mu.Unlock()
	list := f.sorted(func(k string) bool { return strings.HasPrefix(k, prefix) })
	slices.SortFunc(list, func(a, b item) int { return cmp.Compare(a.version, b.version) })
	list = list[:min(max(0, len(list)-int(keep)), maxTrim)]
	for _, it := range list {
		delete(f.items, it.key)
	}
	return len(list), err
}

func (f *fakeEtcd) drop(_ context.Context, guard string, version int64, keys []string, after int64) (bool, error) {
	err := f.begin()
	defer f.mu.Unlock()
	if f.items[guard].version != version || slices.ContainsFunc(keys, func(k string) bool { return f.items[k].version > after }) {
		return false, err
	}
	for _, k := range keys {
		delete(f.items, k)
	}
	f.set()
	return true, err
}

func (f *fakeEtcd) lock(_ context.Context, key string, _ int64) (bool, error) {
	err := f.begin()
	defer f.mu.Unlock()
	if _, taken := f.items[key]; err != nil || taken && key == turnKey {
		return false, err
	}
	if key == turnKey { // the other one ends before it is asked for again
		f.set(item{key: key})
	}
	return true, nil
}

func (f *fakeEtcd) watch(ctx context.Context, key string, after int64, changed func()) error {
	for {
		f.mu.Lock()
		wait, version, ends := f.changed, f.items[key].version, f.watching
		f.mu.Unlock()
		if ends != nil {
			if err := ends(); err != nil {
				return err
			}
		}
		if version > after {
			after = version
			changed()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wait:
		}
	}
}
