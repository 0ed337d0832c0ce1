package main

import (
	"errors"
	"path/filepath"
	"testing"

	"fairlead/config"
)

// TestFairleadDocuments loads what Fairlead is run with.
func TestFairleadDocuments(t *testing.T) {
	for name, w := range workloads(&settings{names: 3, million: 3}) {
		s := &site{dir: t.TempDir(), port: 15353, api: 15354, names: 3, probed: 15355}
		if _, err := w.contenders[0].write(s); err != nil {
			t.Fatal(err)
		}
		node, report, err := config.LoadNode(filepath.Join(s.dir, "node.yaml"))
		if err = errors.Join(err, report.Err()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !node.DNS.Cookies || node.DNS.RateLimit.ResponsesPerSecond != rateLimit || node.DNS.Workers != 1 {
			t.Errorf("%s: got %+v", name, node.DNS)
		}
		source, err := config.ReadSource(node.Config.Follow)
		if err != nil {
			t.Fatal(err)
		}
		if _, report = config.Parse(source); report.Err() != nil {
			t.Errorf("%s: %v", name, report.Err())
		}
	}
}
