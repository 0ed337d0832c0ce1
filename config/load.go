package config

import (
	"fmt"
	"path/filepath"
	"reflect"
)

// LoadNode reads, decodes and validates a node file and joins its relative paths to the file's directory. The node is nil
// when the report has errors; the error is for reading the file alone. The files that the node names are not looked at:
// see CheckNodeFiles.
func LoadNode(path string) (*Node, *Report, error) {
	text, err := readLimited(path, MaxDocumentBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("read node file: %w", err)
	}
	report := new(Report)
	node, _ := parseNode(path, text, report)
	if report.Errors() > 0 {
		return nil, report, nil
	}
	return node, report, nil
}

// parseNode adds what it finds to report. Node and page are nil when the text has no tree at all.
func parseNode(path string, text []byte, report *Report) (*Node, *page) {
	p := newPage(path, text, report)
	if p.root = parseYAML(p); p.root == nil {
		return nil, nil
	}
	if otherFile[Node, Document](p, "node file", "GSLB document", "name the node file, which names the document in its config section") {
		return nil, nil
	}
	n := new(Node)
	decodePage(p, n)
	validateNode(p, n)
	n.joinPaths(filepath.Dir(path))
	return n, p
}

// joinPaths makes every relative path start at dir.
func (n *Node) joinPaths(dir string) {
	paths := []*string{&n.DataDir, &n.Config.Seed, &n.Config.Follow, &n.MEP.TLS.Cert, &n.MEP.TLS.Key, &n.MEP.TLS.CA,
		&n.API.TLS.Cert, &n.API.TLS.Key, &n.API.TLS.ClientCA, &n.API.TokensFile, &n.API.Audit.File, &n.DNS.CookieSecretFile, &n.DNS.QueryLog.File}
	if e := n.Config.Store.Etcd; e != nil {
		paths = append(paths, &e.TLS.Cert, &e.TLS.Key, &e.TLS.CA, &e.PasswordFile)
	}
	if t := n.DNS.TLS; t != nil {
		paths = append(paths, &t.Cert, &t.Key)
	}
	if h := n.DNS.HTTPS; h != nil {
		paths = append(paths, &h.Cert, &h.Key)
	}
	for i := range n.DNS.TSIGKeys {
		paths = append(paths, &n.DNS.TSIGKeys[i].SecretFile)
	}
	if tap := n.DNS.Dnstap; tap != nil {
		paths = append(paths, &tap.Socket, &tap.File)
	}
	for i := range n.GeoIP.Databases {
		paths = append(paths, &n.GeoIP.Databases[i])
	}
	for i := range n.GeoIP.CSV {
		paths = append(paths, &n.GeoIP.CSV[i].File, &n.GeoIP.CSV[i].Locations)
	}
	for _, d := range n.Probes.directories() {
		paths = append(paths, d.directory)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}

// CheckFile checks a GSLB document or a node file, which it tells apart by their top-level keys. A node file is checked
// with the files it names and with its document, in which its site must exist. The error is for reading the file alone.
func CheckFile(path string) (*Report, error) {
	text, err := readLimited(path, MaxDocumentBytes)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	if !looksLikeNode(path, text) {
		_, report := Parse(withZoneFiles(path, text)) // what was read: a pipe cannot be read twice
		return report, nil
	}
	report := new(Report)
	node, p := parseNode(path, text, report)
	if p == nil {
		return report, nil
	}
	checkNodeFiles(p, node)
	checkNodeDocument(p, node)
	return report, nil
}

// looksLikeNode reports whether a file has more of a node file's top-level keys than of a document's.
func looksLikeNode(path string, text []byte) bool {
	root := parseYAML(newPage(path, text, new(Report)))
	if root == nil {
		return false
	}
	return topLevelKeys[Node](root) > topLevelKeys[Document](root)
}

// topLevelKeys counts the keys of a file that are T's.
func topLevelKeys[T any](root *node) (n int) {
	for _, f := range (shapes{}).fields(reflect.TypeFor[T]()) {
		if root.child(f.key) != nil {
			n++
		}
	}
	return n
}

// otherFile says that a file is the other kind of file, once, if it has nothing of a Want and several keys of an Other.
func otherFile[Want, Other any](p *page, want, other, hint string) bool {
	const several = 2
	if topLevelKeys[Want](p.root) > 0 || topLevelKeys[Other](p.root) < several {
		return false
	}
	p.problem("", codeOtherFile, hint, "this is a %s, where a %s is wanted", other, want)
	return true
}

// checkNodeDocument checks the document that a node file names, and that the node's site is in it.
func checkNodeDocument(p *page, n *Node) {
	file, key := n.Config.Seed, "/config/seed"
	if file == "" {
		file, key = n.Config.Follow, "/config/follow"
	}
	if file == "" {
		return // it is in etcd
	}
	src, err := ReadSource(file)
	if err != nil {
		return // checkNodeFiles has said so, or there is no document at all
	}
	before := p.report.Errors()
	doc := parseDocument(src, p.report)
	if doc != nil {
		checkDocumentKeys(p, n, doc)
	}
	if doc == nil || n.Site == "" || doc.Site(n.Site) != nil {
		return
	}
	if p.report.Errors() > before && len(doc.Sites) == 0 {
		return // the sites could not be read
	}
	known := make([]string, len(doc.Sites))
	for i := range doc.Sites {
		known[i] = doc.Sites[i].Name
	}
	hint := didYouMean(n.Site, known, "the document is "+p.valueAt(key))
	p.problem("/site", codeNodeSite, hint, "site %s is not in the GSLB document", quote(n.Site))
}

// valueAt returns the text of the scalar at path.
func (p *page) valueAt(path string) string {
	if n := p.find(path); n != nil {
		return n.value
	}
	return ""
}
