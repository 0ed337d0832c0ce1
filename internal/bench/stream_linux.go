package bench

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// stream is a TCP connection with several queries outstanding.
type stream struct {
	fd         int // -1 while closed
	frames     frames
	out        []byte // composed; out[written:] is still to be written
	written    int
	reconnects int
}

func newStream(fd, outstanding int) *stream {
	return &stream{fd: fd, frames: newFrames(), out: make([]byte, 0, outstanding*(frameHeader+maxMessage))}
}

func (s *stream) descriptor() int { return s.fd }

func (s *stream) close() {
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
		s.fd = -1
	}
}

// fail closes the connection; what is outstanding on it is lost.
func (s *stream) fail(w *worker, l *lane) {
	s.close()
	s.out, s.written = s.out[:0], 0
	s.frames.reset()
	w.lose(l, 1<<63-1)
}

func (s *stream) reopen(ctx context.Context, w *worker, _ *lane) bool {
	if s.fd >= 0 {
		return true
	}
	if s.reconnects++; s.reconnects > maxReconnects {
		return false
	}
	fd, err := dialRaw(ctx, w.o)
	if err != nil {
		s.reconnects = maxReconnects // once refused is enough
		return false
	}
	s.fd = fd
	w.tally.reconnects++
	return true
}

func (s *stream) receive(w *worker, l *lane) bool {
	if s.fd < 0 {
		return false
	}
	n, err := unix.Read(s.fd, s.frames.room())
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return false
	case err != nil || n == 0:
		s.fail(w, l)
		return true
	}
	now := w.now()
	s.frames.each(n, func(message []byte) { w.accept(l, message, now) })
	return true
}

func (s *stream) send(w *worker, l *lane, n int, now time.Duration) {
	if s.written == len(s.out) {
		s.out, s.written = appendFrames(s.out[:0], w, l, n, now), 0
	}
	if len(s.out) == 0 {
		return
	}
	done, err := unix.Write(s.fd, s.out[s.written:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil:
		w.tally.sendErrors++
		s.fail(w, l)
	default:
		s.written += done
	}
	if s.written == len(s.out) {
		s.out, s.written = s.out[:0], 0
	}
}
