package dnstap

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// stream is a connection to a collector.
type stream struct {
	conn   net.Conn
	reader chan struct{} // closed when the collector has said FINISH or is gone

	mu        sync.Mutex
	finishing bool // the time limit of finish holds, and no later one
}

// connect dials the collector and agrees with it on dnstap.
func (s *Sink) connect(ctx context.Context) (output, error) {
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := s.dial(dialing, s.network, s.address)
	if err != nil {
		return nil, fmt.Errorf("connect to dnstap collector: %w", err)
	}
	_ = conn.SetDeadline(time.Now().Add(dialTimeout))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err = handshake(conn)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("connect to dnstap collector: %w", err)
	}
	_ = conn.SetDeadline(time.Time{})
	st := &stream{conn: conn, reader: make(chan struct{})}
	go st.listen()
	return st, nil
}

// listen waits for the one frame that a collector sends after the handshake, FINISH, or for its end.
func (st *stream) listen() {
	defer close(st.reader)
	_, _ = readControl(st.conn)
}

func (st *stream) write(frames []byte) error {
	st.mu.Lock()
	if !st.finishing {
		_ = st.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
	st.mu.Unlock()
	if _, err := st.conn.Write(frames); err != nil {
		return fmt.Errorf("write to dnstap collector: %w", err)
	}
	return nil
}

func (st *stream) gone() <-chan struct{} { return st.reader }

func (st *stream) full() bool { return false }

func (st *stream) finish() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.finishing {
		st.finishing = true
		_ = st.conn.SetDeadline(time.Now().Add(goodbyeTimeout))
	}
}

// close says STOP, waits for FINISH, and returns when the reading goroutine has ended.
func (st *stream) close() error {
	st.finish()
	if _, err := st.conn.Write(appendControl(nil, controlStop)); err == nil {
		<-st.reader
	}
	err := st.conn.Close()
	<-st.reader
	return err
}
