package trust

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// readTime is how long the kernel may make a probe wait for a file.
const readTime = 200 * time.Millisecond

// readPlain reads a file of at most limit bytes that a key names. What is not a plain file is refused, by what was opened and not by
// what had that name a moment before; and opening it does not wait: a pipe that nobody writes to would else hold a probe for good.
func readPlain(key, path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, notPlain(key, path, limit)
	}
	text, err := readWithin(f, limit+1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, notPlain(key, path, limit)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if int64(len(text)) > limit { // it grows
		return nil, notPlain(key, path, limit)
	}
	return text, nil
}

// readWithin reads a file of at most limit bytes. Some that the kernel makes up look plain and have a reader wait for more, as
// /proc/kmsg does: that ends after readTime. Files on disks do not wait and have no deadline.
func readWithin(f *os.File, limit int64) ([]byte, error) {
	_ = f.SetReadDeadline(time.Now().Add(readTime))
	return io.ReadAll(io.LimitReader(f, limit))
}

func notPlain(key, path string, limit int64) error {
	return fmt.Errorf("%s %q is not a plain file of at most %d KiB", key, path, limit>>10)
}
