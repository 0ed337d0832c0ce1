package demo

import (
	"bytes"
	_ "embed"
	"fmt"
	"net/netip"
	"text/template"

	"fairlead/config"
)

//go:embed demo.yaml.tmpl
var documentTemplate string

// documentName is how problems call the document.
const documentName = "demo.yaml"

// documentFacts is what the document's text depends on.
type documentFacts struct {
	MEP      map[string]string // site -> address:port
	Services []*webServer
}

// makeDocument writes the text that both sites load, and parses it.
func makeDocument(f documentFacts) (config.Source, *config.Document, error) {
	t, err := template.New(documentName).Option("missingkey=error").Parse(documentTemplate)
	if err != nil {
		return config.Source{}, nil, fmt.Errorf("read template of %s: %w", documentName, err)
	}
	var text bytes.Buffer
	if err := t.Execute(&text, f); err != nil {
		return config.Source{}, nil, fmt.Errorf("write %s: %w", documentName, err)
	}
	src := config.Source{Name: documentName, Text: text.Bytes()}
	doc, report := config.Parse(src)
	if err := report.Err(); err != nil {
		return config.Source{}, nil, fmt.Errorf("parse %s: %w", documentName, err)
	}
	return src, doc, nil
}

// Sites and what is simulated at them.
const (
	siteAms = "ams"
	siteNyc = "nyc"

	serversPerSite = 3
)

// newServers returns the web servers, not bound yet. The third of each site pushes its load.
func newServers() []*webServer {
	var out []*webServer
	for _, s := range []struct {
		site    string
		network byte
		load    [serversPerSite]int
	}{
		{siteAms, 10, [serversPerSite]int{40, 30, 20}},
		{siteNyc, 20, [serversPerSite]int{25, 35, 45}},
	} {
		for i := range serversPerSite {
			w := &webServer{
				Name: fmt.Sprintf("%s-%d", s.site, i+1), Site: s.site, Pushed: i == serversPerSite-1,
				Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, s.network, byte(i + 1)}), firstWebPort),
			}
			w.Simulate(s.load[i])
			out = append(out, w)
		}
	}
	return out
}
