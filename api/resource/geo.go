package resource

import (
	"net/netip"
	"time"
)

// GeoFileList is the location files of a node, in the order in which they count.
type GeoFileList struct {
	Files []GeoFile `json:"files" nullable:"false" doc:"Location files; where they differ the first counts."`
	At    time.Time `json:"at" doc:"When it was read."`
}

// GeoFile is a location file.
type GeoFile struct {
	File    string     `json:"file" doc:"Path."`
	Format  string     `json:"format" doc:"Format, as in the node file; mmdb for MaxMind DB files."`
	Used    bool       `json:"used" doc:"Clients are located by what was read of it."`
	Entries int        `json:"entries" doc:"Ranges or prefixes with a place that were read."`
	Octets  int64      `json:"octets" doc:"Size of the file that was read."`
	Changed *time.Time `json:"changed,omitempty" doc:"When the file that was read was written."`
	Built   *time.Time `json:"built,omitempty" doc:"When its data was made, as the file says."`
	Loaded  *time.Time `json:"loaded,omitempty" doc:"When it was read last."`
	Failure string     `json:"failure,omitempty" doc:"Why it was refused since, for people. Absent: it was not."`
}

// Located is what is known about where an address is.
type Located struct {
	Address   netip.Addr `json:"address" doc:"The address."`
	Place     string     `json:"place" doc:"Dotted qualifiers, widest first, ? for unknown ones in between; empty: not known."`
	Latitude  *float64   `json:"latitude,omitempty" doc:"Degrees north. Absent: not known."`
	Longitude *float64   `json:"longitude,omitempty" doc:"Degrees east."`
	Sources   []string   `json:"sources" nullable:"false" doc:"What says so: locations for the document, else paths of location files. Empty: nothing is known."`
	First     netip.Addr `json:"first" doc:"First of the addresses around it of which the same is said."`
	Last      netip.Addr `json:"last" doc:"Last of them."`
	Scope     int        `json:"scope" doc:"Length of the widest prefix around it whose clients no decision tells apart by place or prefix."`
	Sites     []Nearness `json:"sites" nullable:"false" doc:"All sites, the closest first."`
}

// Nearness is how close a site is to an address.
type Nearness struct {
	Site       string   `json:"site" doc:"Name of the site."`
	Depth      int      `json:"depth" doc:"How many leading qualifiers of the places match."`
	Kilometres *float64 `json:"kilometres,omitempty" doc:"Great-circle distance. Absent: not known."`
	Rank       uint32   `json:"rank" format:"int64" doc:"1 is the closest, equals take turns; 0: nothing is known."`
}
