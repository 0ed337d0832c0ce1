package api

import (
	"fmt"
	"net/http"
	"strings"
)

// livez says that the process runs. It looks at nothing else: what a restart cannot mend is no reason for one.
func livez(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") }

// readyz says whether queries may be sent here. The checks are listed when one fails, or when asked for.
func (r *resources) readyz(w http.ResponseWriter, req *http.Request) {
	status, verdict := http.StatusOK, "ok"
	var list strings.Builder
	for _, c := range r.Ready() {
		mark := "[+]"
		if !c.OK {
			mark, status, verdict = "[-]", http.StatusServiceUnavailable, "not ready"
		}
		fmt.Fprintf(&list, "%s %s: %s\n", mark, c.Name, c.Detail)
	}
	if status == http.StatusOK && !req.URL.Query().Has("verbose") {
		list.Reset()
	}
	writeText(w, status, list.String()+verdict+"\n")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the client is gone; there is nobody to tell
}
