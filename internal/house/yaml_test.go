package house

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fairlead/config"
)

// yamlBlock is a fenced YAML block of a Markdown file. Its text starts with as many empty lines as stand before it in
// the file, so that the line of a problem is the line in the file.
type yamlBlock struct {
	file string
	line int
	text string
}

var yamlFence = regexp.MustCompile("^(\\s*)(```+|~~~+)\\s*(?i:ya?ml)\\b")

func yamlBlocks(t *tree) []yamlBlock {
	var blocks []yamlBlock
	for _, file := range t.paths(".md") {
		lines := strings.Split(string(t.text[file]), "\n")
		for i := 0; i < len(lines); i++ {
			fence := yamlFence.FindStringSubmatch(lines[i])
			if fence == nil {
				continue
			}
			block := yamlBlock{file, i + 1, strings.Repeat("\n", i+1)}
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != fence[2]; i++ {
				block.text += strings.TrimPrefix(lines[i], fence[1]) + "\n"
			}
			blocks = append(blocks, block)
		}
	}
	return blocks
}

var (
	documentKey = regexp.MustCompile(`(?m)^(zones|sites|monitors|services|service_groups|virtual_servers|views|locations|settings):`)
	nodeKey     = regexp.MustCompile(`(?m)^(site|data_dir|config|dns|mep|api|geoip|log):`)
)

// checkYAMLBlocks loads every YAML block of the documentation. What cannot be loaded teaches readers to write what cannot
// be loaded.
func checkYAMLBlocks(dir string) rule {
	return func(t *tree) []finding {
		var found []finding
		for _, block := range yamlBlocks(t) {
			var err error
			switch {
			case documentKey.MatchString(block.text):
				_, report := config.Parse(config.Source{Name: block.file, Text: []byte(block.text)})
				err = report.Err()
			case nodeKey.MatchString(block.text):
				err = loadNode(dir, block)
			default:
				err = fmt.Errorf("neither a GSLB document nor a node file: blocks for other programs are fenced without the word yaml")
			}
			if err != nil {
				found = append(found, finding{block.file, block.line, fmt.Sprintf("the YAML block does not load; make it complete and valid:\n%v", err)})
			}
		}
		return found
	}
}

// loadNode loads a block as a node file, which has to be a file.
func loadNode(dir string, block yamlBlock) error {
	file := filepath.Join(dir, "node.yaml")
	if err := os.WriteFile(file, []byte(block.text), 0o600); err != nil {
		return err
	}
	_, report, err := config.LoadNode(file)
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		return fmt.Errorf("%s", strings.ReplaceAll(err.Error(), file, block.file))
	}
	return nil
}

func TestYAMLBlocks(t *testing.T) { hold(t, checkYAMLBlocks(t.TempDir())) }

func TestYAMLBlocksCatches(t *testing.T) {
	document := "sites:\n- {name: ams, address: 192.0.2.10}\n"
	node := "site: ams\ndata_dir: data\nconfig: {seed: a.yaml}\ndns: {listen: [\"127.0.0.1:5300\"]}\n"
	catches(t, checkYAMLBlocks(t.TempDir()), []example{
		{"document", "-- docs/a.md --\ntext\n```yaml\n" + document + "```\ntext\n", nil},
		{"document in a list", "-- docs/a.md --\n- text\n  ```yaml\n  " + strings.ReplaceAll(document, "\n-", "\n  -") + "  ```\n", nil},
		{"node file", "-- docs/a.md --\n```yaml\n" + node + "```\n", nil},
		{"another language", "-- docs/a.md --\n```text\nsites: {\n```\n", nil},
		{"broken document", "-- docs/a.md --\n```yaml\n" + document + "methods: []\n```\n",
			[]string{"docs/a.md:1: the YAML block does not load; make it complete and valid:\ndocs/a.md:4:"}},
		{"broken node file", "-- docs/a.md --\n\n~~~yaml\n" + node + "logs: {}\n~~~\n",
			[]string{"docs/a.md:2: the YAML block does not load; make it complete and valid:\ndocs/a.md:7:"}},
		{"something else", "-- README.md --\n```yaml\nscrape_configs: []\n```\n", []string{"README.md:1: the YAML block does not load"}},
	})
}

// TestExamples checks every configuration in examples/ as fairlead check does, but for one thing that a repository cannot
// have: the sites' certificates and keys, which fairlead pki makes where they are used.
func TestExamples(t *testing.T) {
	const unusableFile, certificates = "FL2005", "/mep/tls/"
	checked := 0
	for _, file := range repository(t).paths(".yaml", ".yml") {
		if !strings.HasPrefix(file, "examples/") {
			continue
		}
		checked++
		t.Run(file, func(t *testing.T) {
			report, err := config.CheckFile(filepath.Join(root, filepath.FromSlash(file)))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range report.Problems() {
				if p.Severity != config.SeverityError || p.Code == unusableFile && strings.HasPrefix(p.Path, certificates) {
					continue
				}
				t.Errorf("%s does not pass fairlead check: %s %s", file, p, p.Hint)
			}
		})
	}
	if checked == 0 {
		t.Error("there is no configuration in examples/")
	}
}
