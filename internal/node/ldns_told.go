package node

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"fairlead/config"
	"fairlead/mep"
)

const (
	// networkRate is how many records of one kind are told in a second: to one peer some 30 KB at most.
	networkRate = 2048
	// maxUntold bounds the measurements that wait to be told, and maxUntoldWishes the wishes.
	maxUntold       = 1 << 16
	maxUntoldWishes = 1 << 12
	// maxWishes bounds what is remembered of wishes that were told, in each of two generations.
	maxWishes = 1 << 15
	// networkHops is how many sites may pass on what one measured.
	networkHops = 8
)

// relatives are other sites by what they are to this one.
type relatives struct {
	above map[string]bool // who is told what was measured: the others of the mesh, or parents
	below map[string]bool // children, direct ones
	under map[string]bool // all that may report to this site, also by way of others
}

func relativesOf(doc *config.Document, site string) relatives {
	r := relatives{above: map[string]bool{}, below: map[string]bool{}, under: map[string]bool{}}
	var self *config.Site
	for i := range doc.Sites {
		if doc.Sites[i].Name == site {
			self = &doc.Sites[i]
		}
	}
	for i := range doc.Sites {
		s := &doc.Sites[i]
		switch {
		case s.Name == site || s.Foreign:
		case slices.Contains(s.Parents(), site):
			r.below[s.Name] = true
		case self != nil && slices.Contains(self.Parents(), s.Name), self != nil && self.Parent == "" && s.Parent == "":
			r.above[s.Name] = true
		}
	}
	for child, relays := range doc.Relays() {
		if slices.Contains(relays, site) {
			r.under[child] = true
		}
	}
	return r
}

// untold is a record that waits to be told. Its age follows from at when it is.
type untold struct {
	record   mep.NetworkRecord
	at       time.Time
	up, down bool // of a wish: whom it is for
}

// aged is the record as it is told at a time.
func (u *untold) aged(now time.Time) mep.NetworkRecord {
	r := u.record
	r.Age = max(now.Sub(u.at), 0)
	return r
}

// originUntold is what waits of one site.
type originUntold struct {
	hops    uint8
	records map[netip.Addr]untold
}

// telling is what other sites are yet to be told, and what they were told of wishes.
type telling struct {
	origins map[string]*originUntold
	count   int // records in them
	wishes  map[netip.Addr]untold
	left    uint64 // records for which there was no room

	// Wishes that were told, in two generations: when one is full the other is forgotten.
	young, old map[netip.Addr]wish
}

type wish struct {
	at     time.Time
	proven bool
}

func newTelling() telling {
	return telling{origins: make(map[string]*originUntold), wishes: make(map[netip.Addr]untold), young: make(map[netip.Addr]wish)}
}

// measured notes what a site measured; a newer one takes the place of one that was not told yet.
func (t *telling) measured(site string, hops uint8, r mep.NetworkRecord, at time.Time) {
	o := t.origins[site]
	if o == nil {
		o = &originUntold{records: make(map[netip.Addr]untold)}
		t.origins[site] = o
	}
	o.hops = hops
	if _, ok := o.records[r.LDNS]; !ok {
		if t.count >= maxUntold {
			t.left++
			return
		}
		t.count++
	}
	o.records[r.LDNS] = untold{record: r, at: at}
}

// wants notes that a resolver is wanted, unless that was told within a time, as proven if it is.
func (t *telling) wants(u untold, again time.Duration) bool {
	a := u.record.LDNS
	before, ok := t.young[a]
	if !ok {
		before, ok = t.old[a]
	}
	if ok && u.at.Sub(before.at) < again && (before.proven || !u.record.Proven) {
		return false
	}
	if len(t.wishes) >= maxUntoldWishes {
		t.left++
		return false
	}
	if len(t.young) >= maxWishes {
		t.old, t.young = t.young, make(map[netip.Addr]wish)
	}
	t.young[a] = wish{u.at, u.record.Proven}
	t.wishes[a] = u
	return true
}

// take takes what was measured, the newest first, at most so many records of all sites together.
func (t *telling) take(most int, now time.Time) (out []mep.NetworkSection) {
	for site, o := range t.origins {
		if most <= 0 {
			break
		}
		s := mep.NetworkSection{Site: site, Hops: o.hops}
		for _, u := range newest(o.records, most) {
			s.Records = append(s.Records, u.aged(now))
			delete(o.records, u.record.LDNS)
		}
		most -= len(s.Records)
		t.count -= len(s.Records)
		if len(o.records) == 0 {
			delete(t.origins, site)
		}
		out = append(out, s)
	}
	return out
}

// takeWishes takes wishes, those that are proven first, for those above and those below.
func (t *telling) takeWishes(site string, most int, now time.Time) (up, down []mep.NetworkSection) {
	if len(t.wishes) == 0 {
		return nil, nil
	}
	above, below := mep.NetworkSection{Site: site}, mep.NetworkSection{Site: site}
	for _, u := range newest(t.wishes, most) {
		r := u.aged(now)
		if u.up {
			above.Records = append(above.Records, r)
		}
		if u.down {
			below.Records = append(below.Records, r)
		}
		delete(t.wishes, r.LDNS)
	}
	return []mep.NetworkSection{above}, []mep.NetworkSection{below}
}

// newest returns at most so many: wishes that are proven before others, and the newest first.
func newest(of map[netip.Addr]untold, most int) []untold {
	out := make([]untold, 0, len(of))
	for _, u := range of {
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b untold) int {
		if a.record.Proven != b.record.Proven {
			if a.record.Proven {
				return -1
			}
			return 1
		}
		return cmp.Or(b.at.Compare(a.at), a.record.LDNS.Compare(b.record.LDNS))
	})
	return out[:min(most, len(out))]
}

// tellAll tells other sites what there is, as much as the time since the last telling allows.
func (w *resolverWatch) tellAll(now time.Time, since time.Duration) {
	most := max(int(networkRate*min(since, time.Minute).Seconds()), networkRate/4)
	w.mu.Lock()
	found := w.told.take(most, now)
	up, down := w.told.takeWishes(w.site, most, now)
	kin := w.settings.relatives
	w.mu.Unlock()
	if w.tell == nil {
		return
	}
	standby := w.standby()
	above := w.send(append(found, up...), func(site string) bool { return kin.above[site] && !standby[site] })
	below := w.send(down, func(site string) bool { return kin.below[site] })
	w.mu.Lock()
	w.counts.Told += above + below
	w.counts.Left = w.told.left
	w.mu.Unlock()
	w.tellNewcomers(now, most)
}

// standby lists the parents that this site does not report to at the moment: they are told nothing.
func (w *resolverWatch) standby() map[string]bool {
	var out map[string]bool
	for _, p := range w.peers() {
		if p.Relation == mep.RelationParent && !p.Attached {
			if out == nil {
				out = make(map[string]bool)
			}
			out[p.Site] = true
		}
	}
	return out
}

// send tells sections, and returns how many records they have if somebody was told.
func (w *resolverWatch) send(sections []mep.NetworkSection, to func(string) bool) (records uint64) {
	for i := range sections {
		records += uint64(len(sections[i].Records))
	}
	if records == 0 {
		return 0
	}
	if taken, _ := w.tell(sections, to); taken == 0 {
		return 0
	}
	return records
}
