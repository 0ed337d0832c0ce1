package source

import (
	"io"
	"math"
	"strconv"

	"fairlead/config"
)

// haproxyExported are the columns of a backend's row that HAProxy's exporter has a metric for, and how many of the column's units one of
// the metric's are.
var haproxyExported = map[string]struct {
	column string
	factor float64
}{
	"haproxy_backend_current_queue":                 {"qcur", 1},
	"haproxy_backend_current_sessions":              {"scur", 1},
	"haproxy_backend_limit_sessions":                {"slim", 1},
	"haproxy_backend_max_queue":                     {"qmax", 1},
	"haproxy_backend_max_sessions":                  {"smax", 1},
	"haproxy_backend_sessions_total":                {"stot", 1},
	"haproxy_backend_bytes_in_total":                {"bin", 1},
	"haproxy_backend_bytes_out_total":               {"bout", 1},
	"haproxy_backend_connection_errors_total":       {"econ", 1},
	"haproxy_backend_response_errors_total":         {"eresp", 1},
	"haproxy_backend_weight":                        {"weight", 1},
	"haproxy_backend_active_servers":                {"act", 1},
	"haproxy_backend_backup_servers":                {"bck", 1},
	"haproxy_backend_http_requests_total":           {"req_tot", 1},
	"haproxy_backend_queue_time_average_seconds":    {"qtime", 1000},
	"haproxy_backend_connect_time_average_seconds":  {"ctime", 1000},
	"haproxy_backend_response_time_average_seconds": {"rtime", 1000},
	"haproxy_backend_total_time_average_seconds":    {"ttime", 1000},
}

// readHAProxyMetrics reads the page of HAProxy's Prometheus exporter, and makes of it the same row that the statistics have.
func readHAProxyMetrics(page io.Reader, src *config.LoadSource) (Reading, error) {
	row := haproxyRow{header: []string{"pxname", "svname"}, fields: []string{src.Backend, "BACKEND"}}
	var others []string
	limits := make(map[string]float64) // of servers
	up := make(map[string]bool)
	wanted := func(name []byte) bool {
		_, ok := haproxyExported[string(name)]
		return ok || string(name) == "haproxy_server_limit_sessions" || string(name) == "haproxy_server_status"
	}
	err := eachSample(page, wanted, func(s *sample) error {
		name, proxy := string(s.name), s.label("proxy")
		ours := string(proxy) == src.Backend
		switch server := string(s.label("server")); {
		case !ours:
			if name == "haproxy_backend_current_sessions" && len(others) <= maxBackendsShown {
				others = append(others, string(proxy))
			}
		case name == "haproxy_server_status":
			if string(s.label("state")) == "UP" && s.value == 1 && len(up) < maxServers {
				up[server] = true
			}
		case math.IsNaN(s.value):
		case name == "haproxy_server_limit_sessions":
			if len(limits) < maxServers {
				limits[server] = s.value
			}
		default:
			to := haproxyExported[name]
			row.header = append(row.header, to.column)
			row.fields = append(row.fields, strconv.FormatFloat(math.Round(s.value*to.factor), 'f', -1, 64))
		}
		return nil
	})
	switch {
	case err != nil:
		return Reading{}, err
	case len(row.header) == 2:
		return Reading{}, noSuch("metrics of backend", src.Backend, others)
	}
	row.missing("scur")
	return haproxyAnswer(&row, src, exportedLimits(&row, limits, up))
}

// exportedLimits adds up the limits of the servers that work. The exporter does not say which servers are backups: where there are
// both, what the others can carry is not known.
func exportedLimits(row *haproxyRow, limits map[string]float64, up map[string]bool) serverLimits {
	backups, _ := row.number("bck")
	out := serverLimits{all: backups == 0}
	for server := range up {
		limit, ok := limits[server]
		out.all = out.all && ok
		out.sum += limit
	}
	return out
}
