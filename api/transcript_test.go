package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the transcripts of the documentation anew")

const documentsPage = "../docs/api-documents.md"

// shownDocument is what the page begins with.
const shownDocument = `
zones:
  - {name: gslb.example.com, nameservers: [ns1.gslb.example.com], records: "ns1 3600 A 192.0.2.53"}
sites:
  - {name: ams, address: 192.0.2.10}
  - {name: nyc, address: 198.51.100.10}
services:
  - {name: web-ams, site: ams, addresses: [192.0.2.80], port: 80}
  - {name: web-nyc, site: nyc, addresses: [198.51.100.80], port: 80}
virtual_servers:
  - {name: web, domains: [{name: www.gslb.example.com}], method: round-robin, members: [{service: web-ams}, {service: web-nyc}]}
`

// TestTranscripts runs what the page about documents shows, in its order, and compares what comes back. curl -si shows status and headers, and
// what is piped through jq is indented.
func TestTranscripts(t *testing.T) {
	newDocumentsFixtureOf(t, shownDocument).page(t, documentsPage)
}

// page runs what a page shows.
func (f *documentsFixture) page(t *testing.T, path string) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	lines, ran := strings.Split(string(page), "\n"), 0
	for n := 0; n < len(lines); n++ {
		out = append(out, lines[n])
		if lines[n] != "```" || n+1 == len(lines) || !strings.HasPrefix(lines[n+1], "$ curl ") {
			continue
		}
		end := n + 1 + slices.Index(lines[n+1:], "```")
		got := f.transcript(t, lines[n+1:end])
		if want := strings.Join(lines[n+1:end], "\n"); got != want && !*update {
			t.Errorf("%s:%d: shows\n%s\nand it is\n%s", path, n+2, want, got)
		}
		out = append(out, got)
		n = end - 1
		ran++
	}
	if ran < 10 {
		t.Errorf("%d transcripts, want those of all resources", ran)
	}
	if *update {
		if err := os.WriteFile(path, []byte(strings.Join(out, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// transcript runs the commands of a block and returns them with what they print.
func (f *documentsFixture) transcript(t *testing.T, block []string) string {
	t.Helper()
	var out []string
	for n := 0; n < len(block); n++ {
		if !strings.HasPrefix(block[n], "$ ") {
			continue // what it printed
		}
		out = append(out, block[n])
		command := block[n][2:]
		for strings.HasSuffix(command, "\\") {
			n++
			out = append(out, block[n])
			command = strings.TrimSuffix(command, "\\") + block[n]
		}
		if printed := f.curl(t, command); printed != "" {
			if f.mask != nil {
				printed = f.mask(printed)
			}
			out = append(out, printed)
		}
	}
	return strings.Join(out, "\n")
}

// curled is a request as the command curl has it.
type curled struct {
	method, target, body, file string
	headers                    []string
	head, stream               bool
}

// ask reads a command, as far as the pages use it.
func (f *documentsFixture) ask(command string) curled {
	a := curled{method: http.MethodGet}
	words := shellWords(command)
	for i := 1; i < len(words); i++ {
		switch w := words[i]; w {
		case "-s":
		case "-si":
			a.head = true
		case "-sN":
			a.stream = true
		case "-o":
			i++
			a.file = words[i]
		case "-X":
			i++
			a.method = words[i]
		case "-H":
			i++
			name, value, _ := strings.Cut(words[i], ": ")
			a.headers = append(a.headers, name, value)
		case "-d", "--data-binary":
			i++
			a.body = words[i]
			a.headers = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, a.headers...) // what curl sends unless it is told
			if name, named := strings.CutPrefix(a.body, "@"); named && f.files[name] != nil {
				a.body = string(f.files[name])
			}
		default:
			a.target = strings.TrimPrefix(w, "http://127.0.0.1:8053")
		}
	}
	return a
}

// curl does what the command of that name does, as far as the pages use it.
func (f *documentsFixture) curl(t *testing.T, command string) string {
	t.Helper()
	command, filter, indent := strings.Cut(command, " | jq")
	command, lines, some := strings.Cut(command, " | head -n ")
	a := f.ask(command)
	if a.stream {
		return f.streamed(a.target, a.headers...)
	}
	w := f.request(a.method, a.target, a.body, a.headers...)
	if a.file != "" {
		if f.files == nil {
			f.files = map[string][]byte{}
		}
		f.files[a.file] = w.Body.Bytes()
		return ""
	}
	var out strings.Builder
	if a.head {
		fmt.Fprintf(&out, "HTTP/1.1 %d %s\n", w.Code, http.StatusText(w.Code))
		for _, name := range []string{"Content-Type", "ETag", "Fairlead-Revision", "Link"} {
			if v := w.Header().Get(name); v != "" {
				fmt.Fprintf(&out, "%s: %s\n", name, v)
			}
		}
		out.WriteByte('\n')
	}
	text := w.Body.Bytes()
	if indent {
		text = indented(t, command, text, strings.TrimPrefix(filter, " ."))
	}
	if some {
		most, err := strconv.Atoi(lines)
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		text = bytes.Join(slices.Collect(firstLines(text, most)), nil)
	}
	out.Write(bytes.TrimRight(text, "\n"))
	return strings.TrimRight(out.String(), "\n")
}

// indented is what jq prints of JSON, or of one key of it.
func indented(t *testing.T, command string, text []byte, key string) []byte {
	t.Helper()
	if key != "" {
		var all map[string]json.RawMessage
		if err := json.Unmarshal(text, &all); err != nil || all[key] == nil {
			t.Fatalf("%s has no %s: %v: %s", command, key, err, text)
		}
		text = all[key]
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, text, "", "  "); err != nil {
		t.Fatalf("%s: %v: %s", command, err, text)
	}
	return pretty.Bytes()
}

func firstLines(text []byte, most int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		n := 0
		for line := range bytes.Lines(text) {
			if n++; n > most || !yield(line) {
				return
			}
		}
	}
}

// shellWords splits a command as a shell does that knows single quotes alone.
func shellWords(s string) []string {
	var out []string
	var word strings.Builder
	quoted, begun := false, false
	for _, c := range s {
		switch {
		case c == '\'':
			quoted, begun = !quoted, true
		case c == ' ' && !quoted:
			if begun {
				out = append(out, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if begun {
		out = append(out, word.String())
	}
	return out
}
