package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/cespare/xxhash/v2"

	"fairlead/config/geodata"
	"fairlead/mep"
	"fairlead/sites/agree"
)

// newAgreement returns what compares this site's answers with others'.
func newAgreement(n *Node) *agree.Agreement {
	files := &geoDigests{}
	return agree.New(agree.Options{Site: n.opts.Config.Site, Logger: n.log,
		View: func(now time.Time) (agree.View, bool) {
			st := n.state.Load()
			if st == nil || st.Snapshot == nil {
				return agree.View{}, false
			}
			v := agree.View{Document: st.Document, Since: st.Since, Snapshot: st.Snapshot.GSLB, Overrides: n.orders.Records(now), Files: files.of(n.geo.table.Load(), now)}
			copy(v.DocumentID[:], st.DocumentID)
			return v, true
		},
		Tell: func(d mep.DecisionsDigest, to func(string) bool) { n.exchange.TellDecisions(d, to) },
		Ask: func(ctx context.Context, site string, body []byte) ([]byte, error) {
			return n.exchange.Ask(ctx, site, mep.AskAgree, body)
		},
		Skew: n.skewOf,
	})
}

// skewOf returns how far another site's clock is ahead.
func (n *Node) skewOf(site string) (ahead time.Duration, ok bool) {
	for _, p := range n.exchange.Peers() {
		if p.Site == site {
			return p.ClockSkew, p.Measured && p.State == mep.PeerUp
		}
	}
	return 0, false
}

func (n *Node) agreements() []agree.PeerStatus {
	if n.agreement == nil {
		return nil
	}
	return n.agreement.Status()
}

// geoDigests knows the digests of the location files in use. It belongs to one goroutine.
type geoDigests struct {
	table *geodata.Table
	files []agree.File
}

// of returns the files of a table. Those of the table before, while a file is not any more as it was read: it is read
// again soon.
func (g *geoDigests) of(t *geodata.Table, now time.Time) []agree.File {
	if t == g.table {
		return g.files
	}
	var files []agree.File
	if t != nil {
		for _, info := range t.Files() {
			digest, err := digestOf(&info)
			if err != nil {
				return g.files
			}
			f := agree.File{Name: filepath.Base(info.File.Path), Digest: digest, Size: info.Size, Made: info.Built, Loaded: now}
			if f.Made.IsZero() {
				f.Made = info.Changed
			}
			files = append(files, f)
		}
	}
	g.table, g.files = t, files
	return files
}

// digestOf returns the digest of a location file, and of the one with its places.
func digestOf(info *geodata.FileInfo) (uint64, error) {
	now, err := os.Stat(info.File.Path)
	if err != nil {
		return 0, err
	}
	if !now.Mode().IsRegular() || !now.ModTime().Equal(info.Changed) {
		return 0, fmt.Errorf("read %q: it is not as it was loaded", info.File.Path)
	}
	h := xxhash.New()
	for _, path := range []string{info.File.Path, info.File.Locations} {
		if path == "" {
			continue
		}
		if err := addFile(h, path); err != nil {
			return 0, err
		}
	}
	return h.Sum64(), nil
}

func addFile(h *xxhash.Digest, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("read %q: %w", path, err)
	}
	return nil
}
