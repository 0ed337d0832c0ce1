package mep

// sectionReader reads one section into a table.
type sectionReader struct {
	c     cursor
	m     *mirror
	in    *table
	allow func(site string, hops uint8) (left string, err error)
}

func (r *sectionReader) read() error {
	switch sectionKind(r.c.u8()) {
	case sectionOrigin:
		if err := r.origin(); err != nil {
			return err
		}
	case sectionRecords:
		if o := r.known(); o != nil {
			first := r.c.uvarint()
			r.records(o, first)
		}
	case sectionChanges:
		if o := r.known(); o != nil {
			o.set += r.c.uvarint()
			r.changes(o)
		}
	case sectionGone:
		at := r.c
		if o := r.known(); o != nil {
			r.gone(o, at.uvarint())
		}
	default:
		return r.c.err // of a later version
	}
	return r.c.err
}

// known reads the index of a site that is there.
func (r *sectionReader) known() *mirrorSite {
	i := r.c.uvarint()
	if r.c.err == nil && (i >= uint64(len(r.in.sites)) || r.in.sites[i] == nil) {
		r.c.failf("there is no site with index %d", i)
	}
	if r.c.err != nil {
		return nil
	}
	return r.in.sites[i]
}

func (r *sectionReader) origin() error {
	c := &r.c
	i, site := c.uvarint(), c.name()
	incarnation, set, hops := c.u64(), c.u64(), c.u8()
	total := c.uvarint()
	switch before := r.in.byName[site]; {
	case c.err != nil:
		return c.err
	case i >= maxOrigins:
		return refusef(RejectOversize, "take Changes: index %d of site %q is above the limit of %d", i, site, maxOrigins)
	case i < uint64(len(r.in.sites)) && r.in.sites[i] != nil && r.in.sites[i] != before,
		before != nil && (i >= uint64(len(r.in.sites)) || r.in.sites[i] != before):
		c.failf("index %d is not that of site %q", i, site)
		return c.err
	case total > MaxServices || r.in.records+int(total) > MaxServices+r.count(before):
		return refusef(RejectOversize, "take Changes: site %q has %d records, all together above the limit of %d", site, total, MaxServices)
	}
	left, err := r.allow(site, hops)
	if err != nil {
		return err
	}
	o := &mirrorSite{site: site, incarnation: incarnation, set: set, hops: hops, total: int(total), left: left, fresh: true, urgent: true}
	if before := r.in.byName[site]; before != nil {
		o.follow(before)
		r.forget(before)
	}
	for uint64(len(r.in.sites)) <= i {
		r.in.sites = append(r.in.sites, nil)
	}
	if r.in.byName == nil {
		r.in.byName = make(map[string]*mirrorSite)
	}
	r.in.sites[i], r.in.byName[site] = o, o
	r.in.records += o.total
	r.records(o, 0)
	return c.err
}

func (r *sectionReader) count(o *mirrorSite) int {
	if o == nil {
		return 0
	}
	return o.total
}

// records reads records that follow those that are there, or take their places.
func (r *sectionReader) records(o *mirrorSite, first uint64) {
	c := &r.c
	n := c.uvarint()
	if c.err == nil && (first > uint64(len(o.records)) || n > uint64(o.total)-first || n*minRecord > uint64(len(c.b)-c.at)) {
		c.failf("%d records from the place %d on do not fit site %q, which has %d of %d", n, first, o.site, len(o.records), o.total)
	}
	if c.err != nil || n == 0 {
		return
	}
	o.own()
	for i := int(first); i < int(first+n) && c.err == nil; i++ {
		if i == len(o.records) {
			o.records, o.ages = append(o.records, ServiceRecord{}), append(o.ages, mirrorAges{})
		}
		was := o.records[i]
		rec, a := &o.records[i], &o.ages[i]
		most := rec.decodeBounded(c, &was)
		a.load = span{r.m.taken, wireAge(rec.LoadAge), most.load}
		a.evidence = span{r.m.taken, wireAge(rec.EvidenceAge), most.evidence}
		o.urgent = o.urgent || rec.State != was.State || rec.flags() != was.flags() || !rec.Announced.equal(was.Announced)
		r.touch(o, i)
	}
}

// touch notes that a record is not what it was.
func (r *sectionReader) touch(o *mirrorSite, i int) {
	a := &o.ages[i]
	r.in.sum -= a.digest
	a.digest, r.m.scratch = digestOf(r.m.scratch, o.site, i, &o.records[i])
	r.in.sum += a.digest
	o.fresh, o.load = true, o.load || o.records[i].Has&HasLoadAge != 0
	o.version++
}

func (r *sectionReader) changes(o *mirrorSite) {
	c := &r.c
	n := c.uvarint()
	if n > 0 {
		o.own()
	}
	for at := uint64(0); n > 0 && c.err == nil; n-- {
		at += c.uvarint()
		if c.err == nil && at >= uint64(len(o.records)) {
			c.failf("site %q has no record %d", o.site, at)
		}
		if c.err != nil {
			return
		}
		rec, a := &o.records[at], &o.ages[at]
		state, flags := rec.State, rec.flags()
		readChange(c, rec, &a.load, &a.evidence, r.m.taken)
		o.urgent = o.urgent || state != rec.State || flags != rec.flags()
		r.touch(o, int(at))
		at++
	}
}

func (r *sectionReader) gone(o *mirrorSite, index uint64) {
	reach := Reach(r.c.u8())
	if r.c.err != nil {
		return
	}
	if reach != ReachLeft && reach != reachMoving {
		reach = ReachLost
	}
	r.forget(o)
	r.in.sites[index] = nil
	delete(r.in.byName, o.site)
	if o.left == "" && r.m.next == nil {
		r.m.lose(o.site, reach)
	}
}

// forget takes a site's records out of the table.
func (r *sectionReader) forget(o *mirrorSite) {
	for i := range o.ages {
		r.in.sum -= o.ages[i].digest
	}
	r.in.records -= o.total
}
