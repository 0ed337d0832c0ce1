package config

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// maxPEMBytes is the largest certificate, key or CA file that is looked into.
const maxPEMBytes = 1 << 20

// CheckNodeFiles checks the files that a node names: its document, its MEP certificate, key and CA, and the place of its
// data. It reads them but changes nothing. The problems have paths but no lines.
func CheckNodeFiles(n *Node) *Report {
	report := new(Report)
	checkNodeFiles(&page{file: "node", report: report, failed: map[string]bool{}}, n)
	return report
}

func checkNodeFiles(p *page, n *Node) {
	if info, err := os.Stat(n.DataDir); err == nil && !info.IsDir() {
		p.problem("/data_dir", codeNodeDataDir, "", "%s is not a directory", quote(n.DataDir))
	}
	for _, f := range []struct{ path, file string }{{"/config/seed", n.Config.Seed}, {"/config/follow", n.Config.Follow}} {
		readNamed(p, f.path, f.file, MaxDocumentBytes)
	}
	checkTSIGSecrets(p, n)
	checkCookieSecrets(p, n.DNS.CookieSecretFile)
	checkObserverFiles(p, n)
	checkSecureFiles(p, n, time.Now())
	checkGeoFiles(p, n)
	checkAPIFiles(p, n)
	checkEtcdFiles(p, n)
	if n.MEP.Insecure || n.MEP.TLS.Cert == "" {
		return
	}
	cert, haveCert := readNamed(p, "/mep/tls/cert", n.MEP.TLS.Cert, maxPEMBytes)
	key, haveKey := readNamed(p, "/mep/tls/key", n.MEP.TLS.Key, maxPEMBytes)
	if haveKey {
		checkSecretMode(p, "/mep/tls/key", n.MEP.TLS.Key, "the private key")
	}
	ca, haveCA := readNamed(p, "/mep/tls/ca", n.MEP.TLS.CA, maxPEMBytes)
	if haveCA && !x509.NewCertPool().AppendCertsFromPEM(ca) {
		p.problem("/mep/tls/ca", codeNodeFile, "", "%s holds no PEM certificate", quote(n.MEP.TLS.CA))
	}
	if haveCert && haveKey {
		checkIdentity(p, n, cert, key, ca, time.Now())
	}
}

// checkAPIFiles checks the authorities of client certificates, and that there is a tokens file.
func checkAPIFiles(p *page, n *Node) {
	if ca, ok := readNamed(p, "/api/tls/client_ca", n.API.TLS.ClientCA, maxPEMBytes); ok && !x509.NewCertPool().AppendCertsFromPEM(ca) {
		p.problem("/api/tls/client_ca", codeNodeFile, "", "%s holds no PEM certificate", quote(n.API.TLS.ClientCA))
	}
	if file := n.API.TokensFile; file != "" {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			p.problem("/api/tokens_file", codeNodeFile, "make it with its first token: fairlead token create --tokens-file "+file+" --name admin --role admin", "%v", err)
		} else if err != nil {
			p.problem("/api/tokens_file", codeNodeFile, "", "%v", err)
		}
		checkSecretMode(p, "/api/tokens_file", file, "the hashes of the tokens")
	}
}

func readNamed(p *page, path, file string, limit int64) ([]byte, bool) {
	if file == "" {
		return nil, false // validation has said so
	}
	data, err := readLimited(file, limit)
	if err != nil {
		hint := ""
		written := p.valueAt(path)
		switch {
		case errors.Is(err, fs.ErrPermission):
			hint = "let the user that Fairlead runs as read it"
		case errors.Is(err, fs.ErrNotExist) && written != "" && !filepath.IsAbs(written):
			hint = "the path is relative to the node file"
		}
		p.problem(path, codeNodeFile, hint, "%v", err)
		return nil, false
	}
	return data, true
}

// checkSecretMode warns of a secret that everyone may read.
func checkSecretMode(p *page, path, file, what string) {
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o007 != 0 {
		p.problem(path, codeWarnKeyMode, "chmod 600 "+file, "everyone on this machine may open %s (mode %04o)", what, info.Mode().Perm())
	}
}

func checkCookieSecrets(p *page, file string) {
	const path = "/dns/cookie_secret_file"
	text, ok := readNamed(p, path, file, maxSecretFileBytes)
	if !ok {
		return
	}
	if _, err := parseCookieSecrets(string(text)); err != nil {
		p.problem(path, codeNodeCookieSecret, "openssl rand -hex 16 makes one", "%s: %v", quote(file), err)
		return
	}
	checkSecretMode(p, path, file, "the cookie secrets")
}
