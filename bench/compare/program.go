package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is a server that may be on this machine.
type program struct {
	binary  string
	version []string // arguments that print it
}

func programs() map[string]program {
	return map[string]program{
		"fairlead": {"", []string{"version"}},
		"gdnsd":    {"gdnsd", []string{"-h"}},
		"nsd":      {"nsd", []string{"-v"}},
		"knot":     {"knotd", []string{"--version"}},
		"pdns":     {"pdns_server", []string{"--version"}},
		"bind":     {"named", []string{"-v"}},
		"coredns":  {"coredns", []string{"-version"}},
	}
}

// installation is a program that was found.
type installation struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Note    string `json:"note,omitempty"`
}

// find looks the servers up, in PATH and where distributions put servers, and says which are missing.
func (s *settings) find(ctx context.Context, stdout io.Writer) map[string]installation {
	found := map[string]installation{}
	for _, name := range s.servers {
		p := programs()[name]
		path := s.fairlead
		if p.binary != "" {
			path = lookPath(p.binary)
		}
		if path == "" {
			fmt.Fprintf(stdout, "skipped: %s: no %s in PATH, /usr/sbin or /usr/local/sbin\n", name, p.binary)
			continue
		}
		out, _ := exec.CommandContext(ctx, path, p.version...).CombinedOutput() // some exit with 1 after printing it
		text := string(out)
		line := strings.TrimSpace(text)
		for l := range strings.Lines(text) {
			if l = strings.TrimSpace(l); strings.ContainsAny(l, "0123456789") || strings.Contains(l, "ersion") {
				line = l
				break
			}
		}
		one := installation{Path: path, Version: line}
		if strings.Contains(text, "--disable-recvmmsg") {
			one.Note = "as packaged: built with --disable-recvmmsg"
		}
		found[name] = one
	}
	return found
}

func lookPath(binary string) string {
	if path, err := exec.LookPath(binary); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		path := filepath.Join(dir, binary)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
