package source

import (
	"bytes"
	"io"
	"math"
	"slices"
	"strings"

	"fairlead/config"
	"fairlead/monitors/metric"
)

// readTraefik reads a service, or the entry point that backend names as entrypoint:NAME, from Traefik's page of metrics. Release 3
// counts open connections by entry point alone, release 2 by service, too.
func readTraefik(page io.Reader, src *config.LoadSource) (Reading, error) {
	kind, name := "service", src.Backend
	if entry, ok := strings.CutPrefix(name, "entrypoint:"); ok {
		kind, name = "entrypoint", entry
	}
	t := traefik{kind: kind, name: name, sums: make(map[string]float64)}
	at := customPaths(src)
	custom := make(selection, len(at))
	for i, place := range at {
		var err error
		if custom[i], err = selectedBy(src.Custom[place].Path); err != nil {
			return Reading{}, err
		}
	}
	wanted := func(name []byte) bool { return custom.wants(name) || t.column(name) != "" }
	err := eachSample(page, wanted, func(s *sample) error {
		custom.add(s)
		t.add(s)
		return nil
	})
	if err != nil {
		return Reading{}, err
	}
	if len(t.sums) == 0 {
		return Reading{}, noSuch("metrics of "+kind, name, t.others)
	}
	out := t.reading(len(src.Custom))
	for i, place := range at {
		if custom[i].sum.told() {
			out.part(place, custom[i].sum.value, src.Custom[place].Path)
		} else {
			out.missing(custom[i].lacking(src.Custom[place].Path))
		}
	}
	return out, nil
}

// traefik adds up the metrics of a service or an entry point.
type traefik struct {
	kind, name string
	sums       map[string]float64 // by column
	others     []string
}

// column returns what a metric is called here: its name without traefik_service_ or traefik_entrypoint_ before it. Empty: not looked for.
func (t *traefik) column(name []byte) string {
	if t.kind == "entrypoint" && string(name) == "traefik_open_connections" {
		return "open_connections"
	}
	rest, ok := bytes.CutPrefix(name, []byte("traefik_"+t.kind+"_"))
	if !ok {
		return ""
	}
	switch column := string(rest); column {
	case "open_connections", "requests_total", "request_duration_seconds_sum", "requests_bytes_total", "responses_bytes_total":
		return column
	case "server_up":
		if t.kind == "service" {
			return column
		}
	}
	return ""
}

func (t *traefik) add(s *sample) {
	column := t.column(s.name)
	if column == "" || math.IsNaN(s.value) {
		return
	}
	// A service is web@docker: the name, and who provides it. Without the latter any will do.
	is := s.label(t.kind)
	if string(is) != t.name {
		if name, _, _ := bytes.Cut(is, []byte("@")); string(name) != t.name {
			if len(t.others) <= maxBackendsShown && len(is) > 0 && !slices.Contains(t.others, string(is)) {
				t.others = append(t.others, string(is))
			}
			return
		}
	}
	if column == "server_up" && s.value > 0 {
		s.value = 1
	}
	t.sums[column] += s.value
}

func (t *traefik) reading(customs int) Reading {
	out := Reading{Parts: make([]Part, customs)}
	for _, one := range []struct {
		column string
		metric metric.Metric
	}{{"open_connections", metric.Active}, {"requests_total", metric.RequestsTotal}, {"request_duration_seconds_sum", metric.ResponseSecondsTotal}, {"server_up", metric.Members}} {
		if v, ok := t.sums[one.column]; ok {
			out.tell(one.metric, v, one.column)
		}
	}
	in, ok1 := t.sums["requests_bytes_total"]
	sent, ok2 := t.sums["responses_bytes_total"]
	if ok1 && ok2 {
		out.tell(metric.BytesTotal, in+sent, "bytes")
	}
	return out
}
