package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"fairlead/api/client"
	"fairlead/config"
	"fairlead/config/store"
)

// readableByOthers is the code of a warning that the check of secrets gives itself, with more of them.
const readableByOthers = "FL9102"

// readNode reads the node file with all that it names, as fairlead check does.
func (p *patient) readNode() (*config.Node, []Check) {
	f := &findings{check: "configuration"}
	if p.o.Config == "" {
		f.skip("", "no node file was named: files and sockets of a node are not looked at (--config NODE.yaml)")
		return nil, f.all()
	}
	report, err := config.CheckFile(p.o.Config)
	if err != nil {
		do := "name the file that fairlead serve -f is given"
		if errors.Is(err, fs.ErrPermission) {
			do = "run this as the user that Fairlead runs as"
		}
		f.add(Failed, p.o.Config, errText(err), "the node cannot start", do)
		return nil, f.all()
	}
	node, _, _ := config.LoadNode(p.o.Config) // what is wrong with it, the report says
	for _, problem := range report.Problems() {
		if problem.Code == readableByOthers {
			continue
		}
		level, why := Warning, ""
		if problem.Severity == config.SeverityError {
			level, why = Failed, "the node does not start with it"
		}
		f.add(level, place(problem), fmt.Sprintf("%s [%s]", problem.Message, problem.Code), why, problem.Hint)
	}
	switch {
	case report.Errors() > 0:
	case node == nil || node.Site == "":
		node = nil
		f.add(Failed, p.o.Config, "it is not a node file", "only a node file says what is on this machine", "name the file that fairlead serve -f is given")
	case len(f.list) == 0:
		f.ok(p.o.Config, "node of site %s: it and the files that it names are right", node.Site)
	}
	return node, f.all()
}

func place(p config.Problem) string {
	if p.Line > 0 {
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	return p.File + p.Path
}

// findDocument takes the document that is nearest to what is served: the followed file, what the node stored last, what it says, the seed.
func (p *patient) findDocument(ctx context.Context) (*config.Document, []Check) {
	f := &findings{check: "document"}
	var tried []string
	for _, way := range p.documentWays(ctx) {
		if way.from == "" {
			continue
		}
		doc, err := way.read()
		if err == nil && doc != nil {
			f.ok("", "from %s: %s, %s, %s, %s", way.from, countOf(len(doc.Zones), "zone"), countOf(len(doc.Sites), "site"),
				countOf(len(doc.Services), "service"), countOf(len(doc.VirtualServers), "virtual server"))
			return doc, f.all()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			tried = append(tried, way.from+": "+errText(err))
		}
	}
	if p.node == nil && p.live == nil {
		f.skip("", "there is neither a node file nor a node that answers")
		return nil, f.all()
	}
	if len(tried) == 0 {
		f.skip("", "none yet: it is to come from other sites or from etcd")
		return nil, f.all()
	}
	f.add(Warning, "", strings.Join(tried, "; "), unseen, "run this as the user that Fairlead runs as, or give --token-file")
	return nil, f.all()
}

const unseen = "zones, other sites and monitors are not looked at"

type documentWay struct {
	from string // empty: there is no such way
	read func() (*config.Document, error)
}

func (p *patient) documentWays(ctx context.Context) []documentWay {
	var ways []documentWay
	parse := func(src config.Source, err error) (*config.Document, error) {
		if err != nil {
			return nil, err
		}
		doc, report := config.Parse(src)
		if doc == nil {
			return nil, errors.New(report.Summary())
		}
		return doc, nil
	}
	file := func(name string) documentWay {
		return documentWay{name, func() (*config.Document, error) { return parse(config.ReadSource(name)) }}
	}
	if p.node != nil {
		export := filepath.Join(p.node.DataDir, store.ExportName)
		ways = append(ways, file(p.node.Config.Follow), documentWay{export, func() (*config.Document, error) {
			objects, err := store.ReadExport(export)
			if err != nil {
				return nil, err
			}
			doc, report := config.Assemble(objects, config.AssembleOptions{Lenient: true})
			if doc == nil {
				return nil, errors.New(report.Summary())
			}
			return doc, nil
		}})
	}
	if p.live != nil {
		ways = append(ways, documentWay{"the node", func() (*config.Document, error) {
			text, err := p.live.api.ReadConfig(ctx, client.ReadParams{})
			if err != nil {
				return nil, err
			}
			return parse(config.Source{Name: "the node's document", Text: text.Body}, nil)
		}})
	}
	if p.node != nil {
		ways = append(ways, file(p.node.Config.Seed))
	}
	return ways
}

// secretFile is a file that others may not read, and where the node file names it.
type secretFile struct{ key, path string }

func secretFiles(n *config.Node) []secretFile {
	list := []secretFile{{"mep.tls.key", n.MEP.TLS.Key}, {"api.tls.key", n.API.TLS.Key}, {"api.tokens_file", n.API.TokensFile}, {"dns.cookie_secret_file", n.DNS.CookieSecretFile}}
	if n.DNS.TLS != nil {
		list = append(list, secretFile{"dns.tls.key", n.DNS.TLS.Key})
	}
	if n.DNS.HTTPS != nil {
		list = append(list, secretFile{"dns.https.key", n.DNS.HTTPS.Key})
	}
	for _, k := range n.DNS.TSIGKeys {
		list = append(list, secretFile{"dns.tsig_keys " + k.Name, k.SecretFile})
	}
	if e := n.Config.Store.Etcd; e != nil {
		list = append(list, secretFile{"config.store.etcd.tls.key", e.TLS.Key}, secretFile{"config.store.etcd.password_file", e.PasswordFile})
	}
	return list
}

// secrets checks that only the node's user reads what must be kept secret. That the files are there, configuration has said.
func (p *patient) secrets(_ context.Context, f *findings) {
	good := 0
	for _, s := range secretFiles(p.node) {
		if s.path == "" {
			continue
		}
		info, err := os.Stat(s.path)
		if err != nil {
			continue
		}
		mode := info.Mode().Perm()
		switch group, shared := strangeGroup(info, p.node.DataDir); {
		case !modesCount:
		case mode&0o007 != 0:
			f.add(Warning, s.key, fmt.Sprintf("%s has mode %04o", s.path, mode), "everyone on this machine may open it", "chmod 600 "+s.path)
			continue
		case mode&0o070 != 0 && shared:
			f.add(Warning, s.key, fmt.Sprintf("%s has mode %04o, and is of group %s", s.path, mode, group), "all users of that group may open it, and it is not the group that Fairlead runs with", "chmod 600 "+s.path+", or chgrp it to the group of the service")
			continue
		}
		good++
	}
	if len(f.list) > 0 {
		return
	}
	if good == 0 {
		f.skip("", "the node file names none")
		return
	}
	f.ok("", "%s, closed to others on this machine", countOf(good, "file"))
}
