package api

import (
	"bytes"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/zap"

	"fairlead/adns"
	"fairlead/gslb"
)

// openAPI returns the document as it is served.
func openAPI(t *testing.T, f *fixture) map[string]any {
	t.Helper()
	w := f.request(http.MethodGet, "/openapi.json", "")
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatalf("GET /openapi.json = %d: %v", w.Code, err)
	}
	return v.(map[string]any)
}

func TestOpenAPINamesEveryRoute(t *testing.T) {
	f := newFixture(t, nil)
	doc := openAPI(t, f)
	if doc["openapi"] != "3.1.0" || doc["info"].(map[string]any)["version"] != "1.2.3" {
		t.Errorf("document is OpenAPI %v of version %v", doc["openapi"], doc["info"])
	}
	var documented []string
	ids := map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			documented = append(documented, strings.ToUpper(method)+" "+path)
			o := op.(map[string]any)
			id, _ := o["operationId"].(string)
			if id == "" || ids[id] || o["summary"] == nil || o["responses"] == nil {
				t.Errorf("%s %s: operation %v", method, path, o)
			}
			ids[id] = true
		}
	}
	var routed []string
	r := &resources{Options: f.options, log: zap.NewNop()}
	router, err := r.route()
	if err != nil {
		t.Fatal(err)
	}
	err = chi.Walk(router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		routed = append(routed, method+" "+route)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(documented)
	slices.Sort(routed)
	if diff := cmp.Diff(routed, documented); diff != "" {
		t.Errorf("routes (-routed +documented):\n%s", diff)
	}
}

func TestOpenAPIReferences(t *testing.T) {
	f := newFixture(t, nil)
	text := f.request(http.MethodGet, "/openapi.json", "").Body.String()
	schemas := openAPI(t, f)["components"].(map[string]any)["schemas"].(map[string]any)
	used := map[string]bool{}
	for _, match := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllStringSubmatch(text, -1) {
		used[match[1]] = true
		if schemas[match[1]] == nil {
			t.Errorf("schema %s is referred to and missing", match[1])
		}
	}
	for name := range schemas {
		if !used[name] {
			t.Errorf("schema %s is not referred to", name)
		}
	}
	for _, outside := range []string{"unpkg.com", "jsdelivr", "<script"} {
		if strings.Contains(text, outside) {
			t.Errorf("the document mentions %s", outside)
		}
	}
}

// TestResponsesFitSchemas holds what is sent against what is promised.
func TestResponsesFitSchemas(t *testing.T) {
	f := newFixture(t, withMonitors)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", openAPI(t, f)); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ method, path, body, schema string }{
		{"GET", "/v1/status/services", "", "ServiceList"},
		{"GET", "/v1/status/services?limit=1&state=DRAINING", "", "ServiceList"},
		{"GET", "/v1/status/services/web-ams", "", "Service"},
		{"GET", "/v1/status/services/cdn-tyo", "", "Service"},
		{"POST", "/v1/monitors/web-ok/test", "{}", "MonitorTest"},
		{"POST", "/v1/services/api-ams/load/test", "", "LoadTest"},
		{"GET", "/v1/status/sites", "", "SiteList"},
		{"GET", "/v1/status/sites/tyo", "", "Site"},
		{"GET", "/v1/status/document", "", "Document"},
		{"GET", "/v1/status/secondaries", "", "SecondaryList"},
		{"GET", "/v1/status/secondaries?failing=true&limit=1", "", "SecondaryList"},
		{"GET", "/v1/status/locations", "", "GeoFileList"},
		{"GET", "/v1/locate?address=203.0.113.7", "", "Located"},
		{"GET", "/v1/locate?address=x", "", "Problem"},
		{"PUT", "/v1/ldns/192.0.2.1", `{"site": "ams", "rtt_ms": 1e9}`, "Problem"},
		{"GET", "/v1/sessions", "", "SessionList"},
		{"DELETE", "/v1/sessions?client=192.0.2.1", "", "Dropped"},
		{"GET", "/v1/ldns", "", "ResolverList"},
		{"POST", "/v1/ldns/wanted", "", "WantedResolvers"},
		{"GET", "/v1/version", "", "Version"},
		{"GET", "/v1/explain?name=api.gslb.example.com&subnet=203.0.113.0/24", "", "Explanation"},
		{"GET", "/v1/explain?name=www.elsewhere.test", "", "Explanation"},
		{"GET", "/v1/explain?type=zz", "", "Problem"},
		{"PUT", "/v1/services/web-ams/load", "{", "Problem"},
		{"POST", "/nowhere", "", "Problem"},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			schema, err := compiler.Compile("openapi.json#/components/schemas/" + test.schema)
			if err != nil {
				t.Fatal(err)
			}
			w := f.request(test.method, test.path, test.body)
			v, err := jsonschema.UnmarshalJSON(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(v); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOpenAPIListsReasons: the words of explanations are all there, for who reads them; no validator may refuse later ones.
func TestOpenAPIListsReasons(t *testing.T) {
	schemas := openAPI(t, newFixture(t, nil))["components"].(map[string]any)["schemas"].(map[string]any)
	for _, name := range []string{"Entry", "Candidate"} {
		reason := schemas[name].(map[string]any)["properties"].(map[string]any)["reason"].(map[string]any)
		words, _ := reason[wordsExtension].([]any)
		if len(words) != len(gslb.Reasons())+len(adns.Reasons()) || !slices.Contains(words, any("order-threshold")) || !slices.Contains(words, any("in-view")) {
			t.Errorf("%s has the reasons %v", name, words)
		}
	}
}

// TestResponsesMayGrow lets a strict reader of this release read the next one's responses.
func TestResponsesMayGrow(t *testing.T) {
	for name, s := range openAPI(t, newFixture(t, nil))["components"].(map[string]any)["schemas"].(map[string]any) {
		if strings.HasPrefix(name, objectSchemaPrefix) {
			continue // what operators write is checked strictly
		}
		if closed := s.(map[string]any)["additionalProperties"] == false; closed != slices.Contains([]string{"LoadReport", "RTTReport", "Order", "Withdrawal", "MeasurementReport", "ReportedValue", "MonitorQuestion", "Resolution", "NewToken"}, name) {
			t.Errorf("schema %s: closed is %t", name, closed)
		}
	}
}

var (
	routeHeading = regexp.MustCompile(`(?m)^## ((?:GET|PUT|PATCH|POST|DELETE) /\S+)$`)
	codeRow      = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [0-9, ]+ \\| ")
	codeConstant = regexp.MustCompile(`(?m)^\tCode\w+ += "([a-z-]+)"`)
)

// TestPageDescribesAll compares docs/api.md and docs/api-documents.md with the routes and the codes of faults.
func TestPageDescribesAll(t *testing.T) {
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var routes []string
	for path, item := range openAPI(t, newFixture(t, nil))["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			routes = append(routes, strings.ToUpper(method)+" "+path)
		}
	}
	documents, err := os.ReadFile(documentsPage)
	if err != nil {
		t.Fatal(err)
	}
	compareSets(t, "routes", routes, firstGroups(routeHeading, append(page, documents...)))
	source, err := os.ReadFile("resource/problem.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := os.ReadFile("resource/refusal.go")
	if err != nil {
		t.Fatal(err)
	}
	compareSets(t, "codes", firstGroups(codeConstant, append(source, more...)), firstGroups(codeRow, page))
}

func firstGroups(r *regexp.Regexp, text []byte) (out []string) {
	for _, match := range r.FindAllSubmatch(text, -1) {
		out = append(out, string(match[1]))
	}
	return out
}

func compareSets(t *testing.T, what string, code, page []string) {
	t.Helper()
	slices.Sort(code)
	slices.Sort(page)
	if diff := cmp.Diff(code, page); diff != "" || len(code) == 0 {
		t.Errorf("%s (-code +page):\n%s", what, diff)
	}
}
