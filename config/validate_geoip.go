package config

import (
	"os"
	"path/filepath"
)

// MaxGeoFiles is how many location files a node reads.
const MaxGeoFiles = 16

// checkGeoIP checks what the node file says of location files.
func (c *nodeChecker) checkGeoIP() {
	geo := &c.node.GeoIP
	if n := len(geo.Databases) + len(geo.CSV); n > MaxGeoFiles {
		c.page.problem("/geoip", codeTooMany, "", "there are %d location files; the limit is %d", n, MaxGeoFiles)
	}
	seen := map[string]bool{}
	name := func(path, file string) {
		switch {
		case file == "":
			c.page.problem(path, codeNodeGeoFile, "write the path of the file", "the location file has no name")
		case seen[filepath.Clean(file)]:
			c.page.problem(path, codeNodeGeoFile, "remove one of them", "%s stands twice", quote(file))
		}
		seen[filepath.Clean(file)] = true
	}
	for i := range geo.CSV {
		f := &geo.CSV[i]
		name(at("geoip", "csv", i, "file"), f.File)
		if f.Locations != "" && f.Format != MaxMindCSV {
			c.page.problem(at("geoip", "csv", i, "locations"), codeNodeGeoFile, "remove it", "only format maxmind has a file of locations")
		}
	}
	for i, file := range geo.Databases {
		name(at("geoip", "databases", i), file)
	}
}

// checkGeoFiles warns of location files that are not there: the node serves without them.
func checkGeoFiles(p *page, n *Node) {
	look := func(path, file string) {
		if file == "" {
			return
		}
		f, err := os.Open(file)
		if err != nil {
			p.problem(path, codeWarnGeoFile, "answers do without nearness until it is there", "%v", err)
			return
		}
		_ = f.Close() // nothing was written
	}
	for i := range n.GeoIP.CSV {
		look(at("geoip", "csv", i, "file"), n.GeoIP.CSV[i].File)
		look(at("geoip", "csv", i, "locations"), n.GeoIP.CSV[i].Locations)
	}
	for i, file := range n.GeoIP.Databases {
		look(at("geoip", "databases", i), file)
	}
}
