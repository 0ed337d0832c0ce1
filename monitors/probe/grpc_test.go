package probe

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairlead/config"
)

// health is a gRPC server that knows the service "shop", as far as a probe sees.
func health(w http.ResponseWriter, r *http.Request) {
	request, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/grpc+proto")
	w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	fine := r.Method == "POST" && r.URL.Path == "/grpc.health.v1.Health/Check" && r.Header.Get("Te") == "trailers" && r.Header.Get("Content-Type") == "application/grpc" &&
		strings.HasSuffix(r.Header.Get("Grpc-Timeout"), "m")
	status, text, body := "0", "", ""
	switch service := string(request[min(len(request), 7):]); {
	case !fine:
		status, text = "3", "bad call"
	case string(request) == "\x00\x00\x00\x00\x00":
		body = "\x00\x00\x00\x00\x02\x08\x01"
	case service == "shop":
		body = "\x00\x00\x00\x00\x02\x08\x02"
	case service == "authority":
		status, text = "5", r.Host
	case service == "later":
		body = "\x00\x00\x00\x00\x02\x08\x07"
	case service == "default":
		body = "\x00\x00\x00\x00\x00"
	case service == "compressed":
		body = "\x01\x00\x00\x00\x02\x08\x01"
	case service == "endless":
		body = strings.Repeat("x", 1<<20)
	case service == "html":
		w.Header().Set("Content-Type", "text/html")
	case service == "busy":
		w.WriteHeader(http.StatusBadGateway)
		return
	case service == "trailers":
		w.Header().Del("Trailer")
		w.Header().Set("Grpc-Status", "12")
		w.Header().Set("Grpc-Message", "no%20such%0Amethod")
		return
	case service == "nothing":
		w.Header().Del("Trailer")
		return
	default:
		status, text = "5", "unknown service"
	}
	io.WriteString(w, body)
	w.Header().Set("Grpc-Status", status)
	w.Header().Set("Grpc-Message", text)
}

func TestProbeGRPC(t *testing.T) {
	clear := clearHTTP2(t, http.HandlerFunc(health))
	encrypted := httptest.NewUnstartedServer(http.HandlerFunc(health))
	encrypted.EnableHTTP2 = true
	encrypted.StartTLS()
	defer encrypted.Close()
	tests := []struct {
		name, service string
		change        func(*config.Monitor)
		ok            bool
		want          string
	}{
		{"server", "", nil, true, "SERVING"},
		{"not serving", "shop", nil, false, "NOT_SERVING, want SERVING"},
		{"not serving, reverse", "shop", func(m *config.Monitor) { m.Reverse = true }, true, "NOT_SERVING, want SERVING, which passes: reverse"},
		{"not serving drains", "shop", func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Text: "NOT_SERVING"} }, true, `answer has "NOT_SERVING", which drains`},
		{"unknown service", "pub", nil, false, "gRPC status NOT_FOUND: unknown service"},
		{"authority", "authority", func(m *config.Monitor) { m.GRPC.Authority = "shop.example.com" }, false, "gRPC status NOT_FOUND: shop.example.com"},
		{"status of later versions", "later", nil, false, "7, want SERVING"},
		{"status 0 is left out", "default", nil, false, "UNKNOWN, want SERVING"},
		{"compressed", "compressed", nil, false, "malformed health answer: it is compressed, unasked"},
		{"endless", "endless", nil, false, "answer above 4 KiB"},
		{"not gRPC", "html", nil, false, `content type "text/html" is not that of a gRPC server`},
		{"proxy", "busy", nil, false, "status 502, want 200 of a gRPC server"},
		{"trailers only", "trailers", nil, false, "gRPC status UNIMPLEMENTED: no such?method"},
		{"no status", "nothing", nil, false, "answer without a gRPC status"},
	}
	for _, tt := range tests {
		for security, server := range map[config.ProbeSecurity]*httptest.Server{config.SecurityNone: clear, config.SecurityTLS: encrypted} {
			t.Run(tt.name+", security "+string(security), func(t *testing.T) {
				m := httpMonitor(config.HTTPProbe{})
				m.Type, m.Security, m.GRPC = config.MonitorGRPC, security, &config.GRPCProbe{Service: tt.service}
				if tt.change != nil {
					tt.change(&m)
				}
				got := New(Options{}).Probe(context.Background(), serverTarget(t, server, m))
				if got.OK != tt.ok || got.Reason != tt.want {
					t.Errorf("got %v %q, want %v %q", got.OK, got.Reason, tt.ok, tt.want)
				}
			})
		}
	}
}

func TestReadCheckResponse(t *testing.T) {
	tests := []struct {
		name, message string
		want          uint64
		ok            bool
	}{
		{"serving", "\x00\x00\x00\x00\x02\x08\x01", 1, true},
		{"other fields around it", "\x00\x00\x00\x00\x15\x12\x03abc\x19\x01\x02\x03\x04\x05\x06\x07\x08\x25\x01\x02\x03\x04\x08\x01", 1, true},
		{"last counts", "\x00\x00\x00\x00\x04\x08\x01\x08\x02", 2, true},
		{"empty", "", 0, false},
		{"shorter than it says", "\x00\x00\x00\x00\x03\x08\x01", 0, false},
		{"longer than it says", "\x00\x00\x00\x00\x01\x08\x01", 0, false},
		{"cut off", "\x00\x00\x00\x00\x01\x08", 0, false},
		{"field beyond the end", "\x00\x00\x00\x00\x02\x12\x7f", 0, false},
		{"length that overflows", "\x00\x00\x00\x00\x0b\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 0, false},
		{"group", "\x00\x00\x00\x00\x01\x0b", 0, false},
	}
	for _, tt := range tests {
		if got, err := readCheckResponse([]byte(tt.message)); got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: got %d, %v; want %d", tt.name, got, err, tt.want)
		}
	}
}

func FuzzCheckResponse(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01"))
	f.Add([]byte("\x00\x00\x00\x00\x05\x12\x03abc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if status, err := readCheckResponse(b); err != nil && status != 0 {
			t.Errorf("status %d and %v", status, err)
		}
	})
}
