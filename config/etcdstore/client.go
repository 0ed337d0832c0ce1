package etcdstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// onceAge is how long an idempotency key is kept.
const onceAge = 24 * time.Hour

// Access says how etcd is reached.
type Access struct {
	Endpoints []string                    // URLs; any may answer
	Prefix    string                      // of all keys, without a slash at its end
	TLS       func() (*tls.Config, error) // read when a connection is made; nil: none
	User      string
	Password  func() (string, error) // read when a connection is made; nil: none
	Timeout   time.Duration          // of one request
}

// client is the keyspace of real etcd.
type client struct {
	etcd    *clientv3.Client
	prefix  string
	timeout time.Duration
}

// dial connects. It waits for etcd only where a password has to be checked.
func dial(a Access) (keyspace, error) {
	c := clientv3.Config{Endpoints: a.Endpoints, Username: a.User, DialTimeout: a.Timeout, DialKeepAliveTime: 10 * time.Second,
		DialKeepAliveTimeout: a.Timeout, MaxCallRecvMsgSize: maxAnswer, Logger: zap.NewNop()}
	var err error
	if a.TLS != nil {
		if c.TLS, err = a.TLS(); err != nil {
			return nil, err
		}
	}
	if a.Password != nil {
		if c.Password, err = a.Password(); err != nil {
			return nil, err
		}
	}
	etcd, err := clientv3.New(c)
	if err != nil {
		if c.TLS != nil && errors.Is(err, context.DeadlineExceeded) {
			if why := handshake(a.Endpoints[0], c.TLS, a.Timeout); why != nil {
				err = why // the client does not say why it has waited
			}
		}
		return nil, explained("connect to etcd", err)
	}
	return &client{etcd: etcd, prefix: a.Prefix + "/", timeout: a.Timeout}, nil
}

func (c *client) close() error { return c.etcd.Close() }

func (c *client) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout)
}

func (c *client) read(ctx context.Context, prefixes ...string) ([][]item, moment, error) {
	ctx, cancel := c.limited(ctx)
	defer cancel()
	ops := make([]clientv3.Op, len(prefixes))
	for i, p := range prefixes {
		ops[i] = clientv3.OpGet(c.prefix+p, clientv3.WithPrefix(), clientv3.WithLimit(maxRead))
	}
	r, err := c.etcd.Txn(ctx).Then(ops...).Commit()
	if err != nil && strings.Contains(err.Error(), "larger than max") { // gRPC has no other way to say that it is this one
		err = fmt.Errorf("%w: %w", errTooMuch, err)
	}
	if err != nil {
		return nil, moment{}, explained("read from etcd", err)
	}
	out := make([][]item, len(prefixes))
	for i, one := range r.Responses {
		out[i] = c.items((*clientv3.GetResponse)(one.GetResponseRange()))
	}
	return out, moment{cluster: r.Header.ClusterId, version: r.Header.Revision}, nil
}

func (c *client) items(r *clientv3.GetResponse) []item {
	out := make([]item, len(r.Kvs))
	for i, kv := range r.Kvs {
		out[i] = item{key: string(kv.Key[len(c.prefix):]), value: kv.Value, version: kv.ModRevision, lease: kv.Lease}
	}
	return out
}

func (c *client) scan(ctx context.Context, from, to string, limit int64, keysOnly bool) ([]item, error) {
	ctx, cancel := c.limited(ctx)
	defer cancel()
	o := []clientv3.OpOption{clientv3.WithRange(c.prefix + to), clientv3.WithLimit(limit), clientv3.WithSort(clientv3.SortByKey, clientv3.SortAscend)}
	if keysOnly {
		o = append(o, clientv3.WithKeysOnly())
	}
	r, err := c.etcd.Get(ctx, c.prefix+from, o...)
	if err != nil {
		return nil, explained("read from etcd", err)
	}
	return c.items(r), nil
}

func (c *client) put(ctx context.Context, items []item) error {
	for len(items) > 0 {
		var ops []clientv3.Op
		for size := 0; len(items) > 0 && len(ops) < maxOps; items = items[1:] {
			if size += len(items[0].key) + len(items[0].value); size > maxBytes && len(ops) > 0 {
				break
			}
			ops = append(ops, clientv3.OpPut(c.prefix+items[0].key, string(items[0].value)))
		}
		if err := c.transact(ctx, ops); err != nil {
			return explained("write to etcd", err)
		}
	}
	return nil
}

func (c *client) transact(ctx context.Context, ops []clientv3.Op) error {
	ctx, cancel := c.limited(ctx)
	defer cancel()
	_, err := c.etcd.Txn(ctx).Then(ops...).Commit()
	return err
}

func (c *client) commit(ctx context.Context, m *move) (bool, int64, error) {
	ctx, cancel := c.limited(ctx)
	defer cancel()
	terms := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(c.prefix+m.key), "=", m.version)}
	if m.present != "" {
		terms = append(terms, clientv3.Compare(clientv3.CreateRevision(c.prefix+m.present), ">", 0))
	}
	if m.absent != "" {
		terms = append(terms, clientv3.Compare(clientv3.CreateRevision(c.prefix+m.absent), "=", 0))
	}
	var ops []clientv3.Op
	for _, it := range m.put {
		ops = append(ops, clientv3.OpPut(c.prefix+it.key, string(it.value)))
	}
	for _, k := range m.remove {
		ops = append(ops, clientv3.OpDelete(c.prefix+k))
	}
	var lease clientv3.LeaseID
	if m.once != nil {
		granted, err := c.etcd.Grant(ctx, int64(onceAge/time.Second))
		if err != nil {
			return false, 0, explained("write to etcd", err)
		}
		lease = granted.ID
		ops = append(ops, clientv3.OpPut(c.prefix+m.once.key, string(m.once.value), clientv3.WithLease(lease)))
	}
	r, err := c.etcd.Txn(ctx).If(terms...).Then(ops...).Commit()
	if err != nil {
		err = explained("write to etcd", err)
	}
	if lease != 0 && (errors.Is(err, errSaidNo) || err == nil && !r.Succeeded) {
		_, _ = c.etcd.Revoke(ctx, lease) // else it ends by itself
	}
	switch {
	case errors.Is(err, errSaidNo):
		return false, 0, err
	case err != nil:
		return false, 0, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return r.Succeeded, r.Header.Revision, nil
}

// probe asks for a write on a condition that never holds: etcd looks whether there is room, a leader, and the right to do it.
func (c *client) probe(ctx context.Context) error {
	ctx, cancel := c.limited(ctx)
	defer cancel()
	_, err := c.etcd.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(c.prefix+headKey), "<", 0)).Then(clientv3.OpPut(c.prefix+headKey, "")).Commit()
	if err != nil {
		return explained("ask whether etcd takes writes", err)
	}
	return nil
}

func (c *client) trim(ctx context.Context, prefix string, keep int64) (int, error) {
	ctx, cancel := c.limited(ctx)
	defer cancel()
	all, err := c.etcd.Get(ctx, c.prefix+prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return 0, explained("read from etcd", err)
	}
	if all.Count <= keep {
		return 0, nil
	}
	oldest, err := c.etcd.Get(ctx, c.prefix+prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(min(all.Count-keep, maxTrim)),
		clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortAscend))
	if err != nil {
		return 0, explained("read from etcd", err)
	}
	for i, it := range c.items(oldest) {
		// The lease takes the key along. One without it was not put by Fairlead.
		if _, err := c.etcd.Revoke(ctx, clientv3.LeaseID(it.lease)); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return i, explained("remove from etcd", err)
		}
	}
	return len(oldest.Kvs), nil
}

func (c *client) drop(ctx context.Context, guard string, version int64, keys []string, after int64) (bool, error) {
	ctx, cancel := c.limited(ctx)
	defer cancel()
	terms := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(c.prefix+guard), "=", version)}
	var ops []clientv3.Op
	for _, k := range keys {
		terms = append(terms, clientv3.Compare(clientv3.ModRevision(c.prefix+k), "<", after+1))
		ops = append(ops, clientv3.OpDelete(c.prefix+k))
	}
	r, err := c.etcd.Txn(ctx).If(terms...).Then(ops...).Commit()
	if err != nil {
		return false, explained("remove from etcd", err)
	}
	return r.Succeeded, nil
}

func (c *client) lock(ctx context.Context, key string, ttl int64) (bool, error) {
	ctx, cancel := c.limited(ctx)
	defer cancel()
	lease, err := c.etcd.Grant(ctx, ttl)
	if err != nil {
		return false, explained("take a lease of etcd", err)
	}
	r, err := c.etcd.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(c.prefix+key), "=", 0)).
		Then(clientv3.OpPut(c.prefix+key, "", clientv3.WithLease(lease.ID))).Commit()
	if err == nil && r.Succeeded {
		return true, nil
	}
	_, _ = c.etcd.Revoke(ctx, lease.ID) // else it ends by itself
	return false, err
}

func (c *client) watch(ctx context.Context, key string, after int64, changed func()) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for r := range c.etcd.Watch(ctx, c.prefix+key, clientv3.WithRev(after+1), clientv3.WithProgressNotify()) {
		switch err := r.Err(); {
		case errors.Is(err, rpctypes.ErrCompacted):
			return errCompacted
		case err != nil:
			return explained("watch etcd", err)
		case len(r.Events) > 0:
			changed()
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return errors.New("watch etcd: the watch has ended")
}
