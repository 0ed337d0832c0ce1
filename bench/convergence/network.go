package main

import (
	"context"
	"net"
	"sync/atomic"
)

// network is a site's connections with the others, which can fall silent: what is sent does not arrive, nothing comes, and
// neither end is told.
type network struct{ silent atomic.Bool }

func (n *network) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, kind, address)
	if err != nil {
		return nil, err
	}
	return &silenced{conn, n}, nil
}

// listen gives out a listener that is there already.
func (n *network) listen(l net.Listener) func(context.Context, string, string) (net.Listener, error) {
	return func(context.Context, string, string) (net.Listener, error) { return listening{l, n}, nil }
}

type listening struct {
	net.Listener
	network *network
}

func (l listening) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &silenced{conn, l.network}, nil
}

type silenced struct {
	net.Conn
	network *network
}

func (s *silenced) Write(b []byte) (int, error) {
	if s.network.silent.Load() {
		return len(b), nil
	}
	return s.Conn.Write(b)
}

func (s *silenced) Read(b []byte) (int, error) {
	for {
		n, err := s.Conn.Read(b)
		if err != nil || !s.network.silent.Load() {
			return n, err
		}
	}
}

// Close of a silent end is not heard either: the connection stays, until the other end gives it up.
func (s *silenced) Close() error {
	if s.network.silent.Load() {
		return nil
	}
	return s.Conn.Close()
}
