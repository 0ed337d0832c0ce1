package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"fairlead/config"
)

// readHAProxyCSV reads the table as CSV: a first line "# pxname,svname,..." names the columns, then one row each. Columns are found
// by name, since releases add some.
func readHAProxyCSV(page io.Reader, src *config.LoadSource) (Reading, error) {
	if _, err := io.ReadFull(page, make([]byte, 1)); err != nil { // the #
		return Reading{}, err
	}
	r := csv.NewReader(&lineLimit{r: page})
	r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace = -1, true, true
	header, err := r.Read()
	if err != nil {
		return Reading{}, fmt.Errorf("read CSV header: %w", err)
	}
	r.ReuseRecord = true
	row := haproxyRow{header: header}
	if !row.has("pxname") || !row.has("svname") || !row.has("scur") {
		return Reading{}, errors.New("CSV header lacks one of the columns pxname, svname and scur")
	}
	table := haproxyTable{src: src, limits: serverLimits{all: true}}
	for {
		row.fields, err = r.Read()
		if errors.Is(err, io.EOF) {
			return table.done()
		}
		if err != nil {
			return Reading{}, fmt.Errorf("read CSV statistics: %w", err)
		}
		table.add(&row)
	}
}

// lineLimit hands on what it reads while no line is above maxLine bytes: a row takes many times its length in memory.
type lineLimit struct {
	r      io.Reader
	length int // of the line so far
}

func (l *lineLimit) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest)
		}
		if l.length += end; l.length > maxLine {
			return 0, fmt.Errorf("a line is above %d KiB", maxLine>>10)
		}
		if end == len(rest) {
			break
		}
		l.length, rest = 0, rest[end+1:]
	}
	return n, err
}
