package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fairlead/config/store"
)

const (
	// littleSpace and tooLittleSpace are free octets at which the file system of the data directory is warned of, and at which writes are about to fail.
	littleSpace    = 512 << 20
	tooLittleSpace = 16 << 20
	// oldExport is the age, behind the database, at which the copy for emergencies is warned of. It is written 10 s after a change.
	oldExport = 5 * time.Minute
)

// dataDir checks that the node can keep what it learns.
func (p *patient) dataDir(_ context.Context, f *findings) {
	dir := p.node.DataDir
	const why = "writes are not acknowledged, and what was learned is lost with the process"
	info, err := os.Stat(dir)
	at := dir
	switch {
	case errors.Is(err, fs.ErrNotExist):
		for at = filepath.Dir(dir); ; at = filepath.Dir(at) {
			if _, err := os.Stat(at); err == nil || at == filepath.Dir(at) {
				break
			}
		}
	case err != nil:
		f.add(Failed, dir, errText(err), "the node does not start", "let the node's user enter the directories above it")
		return
	case !info.IsDir():
		f.add(Failed, dir, "it is not a directory", "the node does not start", "remove the file, or change data_dir")
		return
	}
	if err := writable(at); err != nil {
		f.add(Failed, dir, fmt.Sprintf("this user may not write into %s: %v", at, err), why, "chown it to the user that Fairlead runs as, or run this as that user")
		return
	}
	if info != nil && modesCount && info.Mode().Perm()&0o007 != 0 {
		f.add(Warning, dir, fmt.Sprintf("it has mode %04o", info.Mode().Perm()), "everyone on this machine may look into it", "chmod 700 "+dir)
	}
	free, known := freeSpace(at)
	switch {
	case known && free < tooLittleSpace:
		f.add(Failed, dir, octets(free)+" are free", why, "make room")
		return
	case known && free < littleSpace:
		f.add(Warning, dir, octets(free)+" are free", "the node needs room for its document three times, and for its history", "make room, or lower config.history.megabytes")
		return
	}
	if len(f.list) > 0 {
		return
	}
	if info == nil {
		f.ok(dir, "it is made at the first start, in %s", at)
		return
	}
	room := ""
	if known {
		room = ", " + octets(free) + " are free"
	}
	f.ok(dir, "this user can write there%s", room)
}

func octets(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// store reads the database of the node from end to end, unless a node has it open.
func (p *patient) store(_ context.Context, f *findings) {
	dir := p.node.DataDir
	file := filepath.Join(dir, store.FileName)
	p.damagedStores(f, file)
	condition, err := store.Look(dir)
	switch condition {
	case store.Absent:
		f.skip(file, "there is none yet: it is made at the first start")
		return
	case store.InUse:
		f.skip(file, "a process has it open; what it says about it, document-sync tells")
	case store.Good:
		f.ok(file, "every page and record was read, and has its checksum")
	case store.First:
		f.ok(file, "it has the layout of older releases; it is moved over at the next start, and kept")
	case store.Foreign:
		f.add(Failed, file, errText(err), "the node does not start", "run the release that wrote it, or restore a backup: fairlead restore")
	case store.Damaged:
		f.add(Failed, file, errText(err), "at the next start it is kept aside and made anew from its copy; the history is lost then", "look at the disk first; start the node, or restore a backup: fairlead restore")
	default:
		f.add(Failed, file, errText(err), "the node does not start", "let the user that Fairlead runs as read and write it, or run this as that user")
		return
	}
	p.export(f, file)
}

// damagedStores warns of databases that were kept aside.
func (p *patient) damagedStores(f *findings, file string) {
	names, err := filepath.Glob(globEscape(file) + ".damaged-*")
	if err != nil || len(names) == 0 {
		return
	}
	f.add(Warning, names[len(names)-1], fmt.Sprintf("%s kept aside", countOf(len(names), "damaged store")), "the disk or the memory of this machine may be failing; history from before is only there",
		"look at the kernel's log and the disk; remove the files when nothing of them is needed")
}

// globEscape makes a path match itself only.
func globEscape(path string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`).Replace(path)
}

// export checks that the copy for people is not much older than the database.
func (p *patient) export(f *findings, file string) {
	at := filepath.Join(p.node.DataDir, store.ExportName, "revision.json")
	copied, err := os.Stat(at)
	changed, err2 := os.Stat(file)
	if err != nil || err2 != nil {
		f.add(Warning, filepath.Dir(at), "there is no export of the document", "were the database lost, the document would come from other sites or the seed", "start the node: it writes one within 10 seconds")
		return
	}
	if changed.ModTime().Sub(copied.ModTime()) > oldExport {
		f.add(Skipped, filepath.Dir(at), fmt.Sprintf("the last export of the document is of %s, and the database of %s; only changes of the document make a new one", date(copied.ModTime()), date(changed.ModTime())), "", "")
		return
	}
	f.ok(filepath.Dir(at), "the last export of the document is of %s", date(copied.ModTime()))

}
