package source

import (
	"encoding/json"
	"fmt"
	"io"

	"fairlead/config"
)

// maxHAProxyColumns is the most columns of a row that are read; releases have about a hundred.
const maxHAProxyColumns = 512

// haproxyField is a cell of the typed table ("show stat json", management guide 9.3).
type haproxyField struct {
	Field struct {
		Name string `json:"name"`
	} `json:"field"`
	Value struct {
		Value json.RawMessage `json:"value"`
	} `json:"value"`
}

// readHAProxyJSON reads the table as a list of rows, each a list of cells. Empty cells are left out.
func readHAProxyJSON(page io.Reader, src *config.LoadSource) (Reading, error) {
	dec := json.NewDecoder(page)
	table := haproxyTable{src: src, limits: serverLimits{all: true}}
	err := eachElement(dec, func() error {
		var row haproxyRow
		err := eachElement(dec, func() error {
			var cell haproxyField
			if err := dec.Decode(&cell); err != nil {
				return err
			}
			if len(row.header) == maxHAProxyColumns {
				return fmt.Errorf("a row has more than %d cells", maxHAProxyColumns)
			}
			text := string(cell.Value.Value)
			if len(text) > 0 && text[0] == '"' {
				if err := json.Unmarshal(cell.Value.Value, &text); err != nil {
					return err
				}
			}
			row.header, row.fields = append(row.header, cell.Field.Name), append(row.fields, text)
			return nil
		})
		if err == nil && row.has("pxname") && row.has("svname") {
			row.missing("scur")
			table.add(&row)
		}
		return err
	})
	if err == nil {
		err = atEnd(dec)
	}
	if err != nil {
		return Reading{}, notJSON(dec, err)
	}
	return table.done()
}

// missing adds an empty column where a row has none.
func (r *haproxyRow) missing(column string) {
	if !r.has(column) {
		r.header, r.fields = append(r.header, column), append(r.fields, "")
	}
}
