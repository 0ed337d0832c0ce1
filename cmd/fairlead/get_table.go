package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"fairlead/api/resource"
	"fairlead/config"
)

// maxCell is how many characters of a list are shown, unless all are wanted.
const maxCell = 48

// column is one column of a table of objects: the first of its keys that an object has.
type column struct {
	head string
	keys []string
}

// columns are what tables show of objects of each kind, after their names.
var columns = map[config.ObjectKind][]column{
	config.ObjectZone:          {{"NAMESERVERS", []string{"nameservers"}}, {"FROM", []string{"file", "primaries"}}, {"VIEWS", []string{"views"}}},
	config.ObjectSite:          {{"ADDRESS", []string{"address"}}, {"PARENT", []string{"parent"}}},
	config.ObjectMonitor:       {{"TYPE", []string{"type"}}, {"INTERVAL", []string{"interval"}}, {"TIMEOUT", []string{"timeout"}}},
	config.ObjectService:       {{"SITE", []string{"site"}}, {"ADDRESSES", []string{"addresses", "cname"}}, {"PORT", []string{"port"}}, {"MONITORS", []string{"monitors"}}, {"STATE", []string{"state"}}},
	config.ObjectServiceGroup:  {{"SITE", []string{"site"}}, {"MEMBERS", []string{"members", "autoscale", "announced"}}, {"PORT", []string{"port"}}, {"MONITORS", []string{"monitors"}}, {"STATE", []string{"state"}}},
	config.ObjectVirtualServer: {{"METHOD", []string{"method"}}, {"DOMAINS", []string{"domains"}}, {"MEMBERS", []string{"members"}}},
	config.ObjectView:          {{"LISTENERS", []string{"listeners"}}, {"CLIENTS", []string{"clients"}}},
	config.ObjectLocation:      {{"PLACE", []string{"place"}}, {"LATITUDE", []string{"latitude"}}, {"LONGITUDE", []string{"longitude"}}},
}

// itemKeys are the keys by which an item of a list is called, the first one that it has.
var itemKeys = []string{"name", "service", "group", "virtual_server", "monitor", "address", "addresses", "cname"}

func tableHead(kind config.ObjectKind, wide bool) []string {
	row := []string{"NAME"}
	if kind == config.ObjectFile {
		return append(row, "BYTES")
	}
	for _, c := range columns[kind] {
		row = append(row, c.head)
	}
	if wide {
		row = append(row, "LABELS", "COMMENT", "ETAG")
	}
	return row
}

func tableRow(kind config.ObjectKind, item *resource.ObjectItem, wide bool) []string {
	row := []string{item.Name}
	if kind == config.ObjectFile {
		return append(row, fmt.Sprint(item.Size))
	}
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(item.Object))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		return append(row, "?") // an object of a release that writes them in another way
	}
	for _, c := range columns[kind] {
		cell := "-"
		for _, key := range c.keys {
			if v, has := object[key]; has {
				cell = clipCell(cellText(v), wide)
				break
			}
		}
		row = append(row, cell)
	}
	if wide {
		comment, _ := object["comment"].(string)
		row = append(row, labelText(object["labels"]), comment, strings.Trim(item.ETag, `"`)[:min(12, len(strings.Trim(item.ETag, `"`)))])
	}
	return row
}

// cellText is a value in as few words as say which one it is.
func cellText(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = cellText(item)
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		for _, key := range itemKeys {
			if name, has := v[key]; has {
				return cellText(name)
			}
		}
		return labelText(v)
	}
	return fmt.Sprint(v)
}

// labelText is a mapping as key=value.
func labelText(v any) string {
	m, _ := v.(map[string]any)
	parts := make([]string, 0, len(m))
	for key, value := range m {
		parts = append(parts, fmt.Sprintf("%s=%v", key, value))
	}
	slices.Sort(parts)
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ",")
}

func clipCell(text string, whole bool) string {
	if whole || utf8.RuneCountInString(text) <= maxCell {
		return text
	}
	return string([]rune(text)[:maxCell-1]) + "…"
}
