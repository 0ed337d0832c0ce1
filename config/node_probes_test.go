package config

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestNodeProbes(t *testing.T) {
	tests := []struct {
		name, section string
		want          func(dir string) NodeProbes
	}{
		{"absent", "", func(string) NodeProbes {
			return NodeProbes{Sockets: []string{"/run/haproxy", "/var/run/haproxy", "/var/lib/haproxy"},
				Secrets: NodeProbeSecrets{Directories: []string{"/etc/fairlead/secrets"}},
				Scripts: NodeProbeScripts{Directories: []string{"/etc/fairlead/scripts"}, Concurrency: 16}}
		}},
		{"emptied", "probes: {sockets: [], secrets: {directories: []}, scripts: {directories: []}}\n", func(string) NodeProbes {
			return NodeProbes{Sockets: []string{}, Secrets: NodeProbeSecrets{Directories: []string{}}, Scripts: NodeProbeScripts{Directories: []string{}, Concurrency: 16}}
		}},
		{"relative", "probes: {sockets: [run], secrets: {directories: [/etc/s, s], environment: [A_1]}, scripts: {directories: [x/y], concurrency: 2}}\n", func(dir string) NodeProbes {
			return NodeProbes{Sockets: []string{filepath.Join(dir, "run")},
				Secrets: NodeProbeSecrets{Directories: []string{"/etc/s", filepath.Join(dir, "s")}, Environment: []string{"A_1"}},
				Scripts: NodeProbeScripts{Directories: []string{filepath.Join(dir, "x", "y")}, Concurrency: 2}}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := writeNode(t, goodNode+test.section, 0o600)
			node, report, err := LoadNode(path)
			if err != nil || node == nil {
				t.Fatal(err, report)
			}
			if want := test.want(filepath.Dir(path)); !reflect.DeepEqual(node.Probes, want) {
				t.Errorf("got %+v, want %+v", node.Probes, want)
			}
		})
	}
	schema, err := NodeSchema()
	if err != nil {
		t.Fatal(err)
	}
	if want := `"/var/run/haproxy",`; !strings.Contains(string(schema), want) {
		t.Errorf("the schema does not have the default directories as a list")
	}
}
