package source

import (
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
	r := csv.NewReader(page)
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
