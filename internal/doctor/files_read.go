package doctor

import (
	"fmt"
	"io"
	"os"
)

// maxFile bounds a file that is read whole, in bytes.
const maxFile = 1 << 20

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("read %q: larger than %d bytes", path, maxFile)
	}
	return text, err
}
