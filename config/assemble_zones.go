package config

import "fairlead/config/zonedata"

// zoneRead is the data of a zone as it was read before, without anything to say about it. It never changes.
type zoneRead struct {
	data  *zonedata.Zone
	files []*Object // that it was read from
}

// readBefore gives a zone the data that was read before from the same texts. It reports whether there is such data.
func (c *checker) readBefore(z *Zone, facts *zoneFacts) bool {
	if c.settlement == nil {
		return false
	}
	a := c.settlement.parts
	read := a.kinds[ObjectZone][facts.index].zone.Load()
	if read == nil {
		return false
	}
	for _, file := range read.files {
		if now := a.objects.Get(file.key); now == nil || now.hash != file.hash {
			return false
		}
	}
	z.Data, z.Records = read.data, ""
	facts.data = read.data
	return true
}

// keepReading keeps the data of a zone with its object.
func (c *checker) keepReading(z *Zone, facts *zoneFacts) {
	if c.settlement == nil {
		return
	}
	a := c.settlement.parts
	read := &zoneRead{data: z.Data}
	if z.File != "" {
		c.src.opened[z.File] = true
	}
	for name := range c.src.opened {
		o := a.objects.Get(ObjectKey{ObjectFile, name})
		if o == nil {
			return
		}
		read.files = append(read.files, o)
	}
	a.kinds[ObjectZone][facts.index].zone.Store(read)
}
