package probe

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func TestPlainHead(t *testing.T) {
	tests := []struct {
		name, head string
		status     int
		plain      bool
	}{
		{"usual", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n", 200, true},
		{"no phrase", "HTTP/1.1 503\r\n\r\n", 503, true},
		{"empty phrase", "HTTP/1.1 204 \r\n\r\n", 204, true},
		{"HTTP/1.0", "HTTP/1.0 404 Not Found\r\nServer: x_1\r\n\r\n", 404, true},
		{"empty header", "HTTP/1.1 200 OK\r\nX-Empty:\r\n\r\n", 200, true},
		{"not all there", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", 0, false},
		{"a line that ends early", "HTTP/1.1 200 OK\r\nContent-Length: 3\n\r\n", 0, false},
		{"informational", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 0, false},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0, false},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 0, false},
		{"no length", "HTTP/1.1 200 OK\r\nContent-Length: three\r\n\r\n", 0, false},
		{"length beyond all", "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n", 0, false},
		{"folded", "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n\r\n", 0, false},
		{"no name", "HTTP/1.1 200 OK\r\n: b\r\n\r\n", 0, false},
		{"no colon", "HTTP/1.1 200 OK\r\nhello\r\n\r\n", 0, false},
		{"space in a name", "HTTP/1.1 200 OK\r\nX A: b\r\n\r\n", 0, false},
		{"control character", "HTTP/1.1 200 OK\r\nX-A: b\x00\r\n\r\n", 0, false},
		{"other letters", "HTTP/1.1 200 OK\r\nX-A: \xc3\xa4\r\n\r\n", 0, false},
		{"another version", "HTTP/1.2 200 OK\r\n\r\n", 0, false},
		{"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", 0, false},
		{"another protocol", "220 mail.example.com ESMTP\r\n\r\n", 0, false},
		{"nothing", "", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if status, plain := plainHead([]byte(tt.head)); plain != tt.plain || plain && status != tt.status {
				t.Errorf("got %d, %v, want %d, %v", status, plain, tt.status, tt.plain)
			}
		})
	}
	head := []byte(tests[0].head)
	if n := testing.AllocsPerRun(100, func() { plainHead(head) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzPlainHead holds what is found against net/http: the same status, and no head that net/http refuses.
func FuzzPlainHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"), "GET")
	f.Add([]byte("HTTP/1.0 304 \r\nContent-Length:\t7 \r\ntransfer-encoding: gzip\r\n\r\n"), "HEAD")
	f.Add([]byte("HTTP/1.1 999\r\nTrailer: X\r\nPragma: no-cache\r\n\r\n"), "CONNECT")
	f.Add([]byte("HTTP/1.1 200 OK\r\n:\r\n\r\n"), "OPTIONS")
	f.Fuzz(func(t *testing.T, head []byte, method string) {
		status, plain := plainHead(head)
		if !plain {
			return
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q: status %d, but net/http says: %v", head, status, err)
		}
		if resp.StatusCode != status || len(resp.TransferEncoding) > 0 || strings.ContainsRune(resp.Status, '\r') {
			t.Errorf("%q: status %d, want %d", head, status, resp.StatusCode)
		}
	})
}
