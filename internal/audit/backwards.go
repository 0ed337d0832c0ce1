package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// backwardsStep is how much is read at once.
const backwardsStep = 64 << 10

// backwards reads the lines of a file from its end to its beginning.
type backwards struct {
	file io.ReaderAt
	at   int64  // where rest begins in the file
	rest []byte // read and not given out; every byte of it lies before what was
}

var errLongLine = fmt.Errorf("line longer than the limit of %d bytes", MaxLine)

// newBackwards reads the first size bytes of file, which end a line.
func newBackwards(file io.ReaderAt, size int64) *backwards { return &backwards{file: file, at: size} }

// line returns the line before the one returned last, without its end, and where it begins. It is io.EOF at the beginning of the
// file. The text is good until the next call.
func (b *backwards) line() (text []byte, start int64, err error) {
	for {
		// The last byte of rest ends the line that is looked for.
		if n := len(b.rest); n > 0 {
			if i := bytes.LastIndexByte(b.rest[:n-1], '\n'); i >= 0 {
				text, b.rest = b.rest[i+1:n-1], b.rest[:i+1]
				return text, b.at + int64(i) + 1, nil
			}
		}
		switch {
		case b.at == 0 && len(b.rest) == 0:
			return nil, 0, io.EOF
		case b.at == 0:
			text, b.rest = b.rest[:len(b.rest)-1], nil
			return text, 0, nil
		case len(b.rest) > MaxLine:
			return nil, 0, errLongLine
		}
		if err := b.more(); err != nil {
			return nil, 0, err
		}
	}
}

func (b *backwards) more() error {
	step := min(b.at, backwardsStep)
	grown := make([]byte, int(step)+len(b.rest))
	if n, err := b.file.ReadAt(grown[:step], b.at-step); err != nil && !(errors.Is(err, io.EOF) && int64(n) == step) {
		return err
	}
	copy(grown[step:], b.rest)
	b.rest, b.at = grown, b.at-step
	return nil
}
