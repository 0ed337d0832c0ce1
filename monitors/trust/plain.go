package trust

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

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
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if int64(len(text)) > limit { // it grows
		return nil, notPlain(key, path, limit)
	}
	return text, nil
}

func notPlain(key, path string, limit int64) error {
	return fmt.Errorf("%s %q is not a plain file of at most %d KiB", key, path, limit>>10)
}
