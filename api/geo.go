package api

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"fairlead/api/resource"
)

const (
	geoPath    = "/v1/status/locations"
	locatePath = "/v1/locate"
)

// GeoStatus is a location file.
type GeoStatus struct {
	File     string
	Format   string
	Used     bool // clients are located by it
	Entries  int
	Octets   int64
	Changed  time.Time // of the file that is used
	Built    time.Time // zero: it does not say
	Loaded   time.Time // zero: never
	Failure  string    // why it was refused since; empty: it was not
	FailedAt time.Time
	Loads    uint64
	Refusals uint64
}

type geoOutput struct{ Body resource.GeoFileList }

// geoInput has no parameters.
type geoInput struct{}

// Resolve refuses what is not a parameter here.
func (in *geoInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

func (r *resources) registerGeo(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "list-location-files", Method: http.MethodGet, Path: geoPath, Tags: []string{"status"},
		Summary: "How location files are"}, []int{http.StatusUnprocessableEntity}, r.geoFiles)
}

func (r *resources) geoFiles(context.Context, *geoInput) (*geoOutput, error) {
	out := &geoOutput{Body: resource.GeoFileList{Files: []resource.GeoFile{}, At: time.Now().UTC()}}
	for _, s := range r.Geo() {
		out.Body.Files = append(out.Body.Files, resource.GeoFile{
			File: s.File, Format: s.Format, Used: s.Used, Entries: s.Entries, Octets: s.Octets,
			Changed: known(s.Changed), Built: known(s.Built), Loaded: known(s.Loaded), Failure: s.Failure,
		})
	}
	return out, nil
}

// known is a time, or nil for none.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

type locateInput struct {
	Address string `query:"address" required:"true" doc:"IP address."`

	address netip.Addr // set by Resolve
}

// Resolve reads the address.
func (in *locateInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	a, err := netip.ParseAddr(in.Address)
	if in.Address != "" && (err != nil || a.Zone() != "") {
		faults = append(faults, fault("/query/address", resource.CodeInvalid, "%q is not an IP address such as 203.0.113.5 or 2001:db8::5", clip(in.Address)))
	}
	in.address = a.Unmap()
	return faults
}

type locateOutput struct{ Body resource.Located }

func (r *resources) registerLocate(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "locate", Method: http.MethodGet, Path: locatePath, Tags: []string{"status"},
		Summary: "Where an address is, and how close the sites are"},
		[]int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.locate)
}

func (r *resources) locate(_ context.Context, in *locateInput) (*locateOutput, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	at := st.Snapshot.GSLB.Plan.Locate(in.address)
	out := resource.Located{Address: in.address, Place: at.Place, Sources: append([]string{}, at.Sources...), First: at.First, Last: at.Last,
		Scope: at.Bits, Sites: []resource.Nearness{}}
	if at.HasCoordinates {
		out.Latitude, out.Longitude = &at.Latitude, &at.Longitude
	}
	for _, s := range at.Sites {
		n := resource.Nearness{Site: s.Site, Depth: s.Depth, Rank: s.Rank}
		if s.Km >= 0 {
			n.Kilometres = &s.Km
		}
		out.Sites = append(out.Sites, n)
	}
	rankSites(out.Sites)
	return &locateOutput{out}, nil
}

// rankSites sorts sites whose Rank is greater the closer they are, and makes 1 the rank of the closest. 0 stays.
func rankSites(sites []resource.Nearness) {
	slices.SortStableFunc(sites, func(a, b resource.Nearness) int { return cmp.Compare(b.Rank, a.Rank) })
	rank, before := uint32(0), uint32(0)
	for i := range sites {
		switch closeness := sites[i].Rank; {
		case closeness == 0:
			return
		case closeness != before:
			rank, before = uint32(i+1), closeness
		}
		sites[i].Rank = rank
	}
}

// geoMetrics are the location files.
func (r *resources) geoMetrics() prometheus.Collector {
	g := &group{}
	used := g.gauge("fairlead_geo_file_used", "Whether clients are located by what was read of a location file.", "file")
	entries := g.gauge("fairlead_geo_file_entries", "Ranges or prefixes that were read of a location file.", "file")
	age := g.gauge("fairlead_geo_file_age_seconds", "How long ago the data of a location file was made, or the file written if it does not say.", "file")
	failing := g.gauge("fairlead_geo_file_failing", "Whether a location file was refused since it was read last, or never could be read.", "file")
	loads := g.counter("fairlead_geo_loads_total", "How often a location file was read.", "file")
	refusals := g.counter("fairlead_geo_refusals_total", "How often a location file was refused: missing, damaged or cut off.", "file")
	g.collect = func(out chan<- prometheus.Metric) {
		now := time.Now()
		for _, s := range r.Geo() {
			used.send(out, boolean(s.Used), s.File)
			entries.send(out, float64(s.Entries), s.File)
			failing.send(out, boolean(s.Failure != ""), s.File)
			loads.send(out, float64(s.Loads), s.File)
			refusals.send(out, float64(s.Refusals), s.File)
			made := s.Built
			if made.IsZero() {
				made = s.Changed
			}
			if seconds := ageOf(now, made); seconds != nil {
				age.send(out, *seconds, s.File)
			}
		}
	}
	return g
}
