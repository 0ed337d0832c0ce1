package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"fairlead/adns"
	"fairlead/adns/sketch"
	"fairlead/adns/transfer"
	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/internal/access"
	"fairlead/internal/audit"
	"fairlead/mep"
	"fairlead/monitors"
	"fairlead/monitors/metric"
	"fairlead/monitors/probe"
	"fairlead/sites"
	"fairlead/sites/agree"
)

// Options are what the interface reads. All functions are called from many goroutines, at each request; they must not
// wait long.
type Options struct {
	Site    string // this node's
	Version string // of Fairlead
	// State returns what is served at this moment. Nil while there is nothing yet: requests that need it get 503.
	State func() *State
	// Peers returns how things stand with other sites. Nil, or returning nil: the node exchanges nothing.
	Peers func() []mep.PeerStatus
	// SharedSessions tells how sharing sessions goes with other sites, by name. Nil: nothing is shared.
	SharedSessions func() []SharedSessions
	// Agreements tells how this site's answers compare with others', by the name of the site. Nil: nothing is compared.
	Agreements func() []agree.PeerStatus
	// MEPRejections, MEPEndings, DNSStats and ProbeStats are read for metrics. Nil: nothing was counted.
	MEPRejections func() map[mep.Rejection]uint64
	MEPEndings    func() map[mep.Ending]uint64
	DNSStats      func() adns.Stats
	ProbeStats    func() monitors.Stats
	// TransferStats counts zones that were sent and NOTIFY, for metrics. Nil: nothing was counted.
	TransferStats func() transfer.Stats
	// Secondaries lists the zones that come from primaries, by name. Nil: there are none.
	Secondaries func() []transfer.SecondaryStatus
	// Groups tells how the names of autoscaled service groups resolve, by the name of the group. Nil: there are none.
	Groups func() []GroupStatus
	// Geo tells of the location files. Nil: there are none.
	Geo func() []GeoStatus
	// PushLoad takes in a load report. Its errors wrap monitors.ErrNotPushed, ErrOutdated, ErrNothingTold or ErrRange. Nil:
	// no service is pushed here.
	PushLoad func(service string, told metric.Metrics, at time.Time) error
	// Trials runs monitors and reads load sources on demand. Nil: 503.
	Trials Trials
	// Verdicts returns what this node's monitors hold of a service, LoadSource how reading its load source goes; ProbeCounts and LoadCounts
	// are read for metrics, MonitoredServices are those of which there are verdicts. Nil: there is nothing.
	Verdicts          func(service string) []monitors.Verdict
	MonitoredServices func() []string
	LoadSource        func(service string) (monitors.SourceStatus, bool)
	ProbeCounts       func() []probe.KindCounts
	LoadCounts        func() []monitors.ReadCounts
	// Sketch returns what is asked of this node, SketchSize how many kinds of it there are and how many queries were left
	// out. Nil: nothing is.
	Sketch     func() sketch.View
	SketchSize func() (kinds int, leftOut uint64)
	// Peak is how many connections there were and are. Nil: none.
	Peak func() resource.ConnectionHistory
	// Headroom returns what the loss of each site would do. Nil: it was not computed.
	Headroom func() []resource.Headroom
	// AskSite asks another site's node what it would answer: body and answer are those of AnswerExplain. Nil: no site can be
	// asked.
	AskSite func(ctx context.Context, site string, body []byte) ([]byte, error)
	// Overrides is what operators want for a time; orders are given to it. Nil: none can be given.
	Overrides *sites.Overrides
	// ResolverCounts is read for metrics. Nil: nothing was counted.
	ResolverCounts func() ResolverExchange
	// TakeResolvers gives out resolvers that wait to be measured. Nil: those of the table itself.
	TakeResolvers func(most int) []netip.Addr
	// ReportRTT takes in what somebody measured from a site, and reports whether it counts. Nil: it goes to the table.
	ReportRTT func(ldns netip.Addr, site string, rtt time.Duration, at time.Time) bool
	// Documents is where the GSLB document is kept. Nil: it is neither read nor written here.
	Documents revision.Documents
	// DocumentCounts counts revisions since the start. Nil: nobody does.
	DocumentCounts func() DocumentCounts
	// TagKey is what tags of objects with secrets are made with, at least 32 octets. Empty: a new one at each start.
	TagKey []byte
	// Events is what happens, for those who listen. Nil: nobody is told.
	Events *Events
	// Backup writes all that the node knows; an error that wraps ErrNeedsPassphrase comes before anything is written. Restore takes it in. Nil: 503.
	Backup  func(ctx context.Context, w io.Writer, passphrase string) error
	Restore func(ctx context.Context, r io.Reader, passphrase string) (*resource.Restored, error)
	// Ready returns what has to be so before queries are sent here. Nil: nothing.
	Ready func() []Check
	// Gathering says whether the newest document waits for what its new groups resolve to, and is not served meanwhile. Nil: none ever does.
	Gathering func() Gathering
	// Access knows who may ask. Nil: all who reach the interface are admins, as behind a listener on loopback.
	Access *access.Guard
	// Audit gets who changes what. Nil: nobody is told.
	Audit *audit.Log
	// Host reports whether the interface may be asked under a name or an address, besides those of loopback. Nil: it may not.
	Host func(name string) bool
	// Logger gets panics and refused origins. Nil: none.
	Logger *zap.Logger
}

// State is one moment of the node. It is immutable but for Snapshot.Learned.
type State struct {
	Snapshot       *adns.Snapshot
	Document       *config.Document             // that Snapshot was compiled from
	Written        *config.Document             // the same before its service groups were expanded; nil: it is Document
	DocumentID     string                       // hash of its objects
	Revision       string                       // that it came with
	DocumentSource string                       // path of the file it came from, or the data directory
	Since          time.Time                    // when this document came into use
	Drains         map[string]sites.DrainStatus // by service, of those that drain
	Sites          []sites.SiteStatus           // how each site of the document is heard, in its order; nil: not known
	ViewsLeftOut   sites.ViewsLeftOut           // what could not be told to other sites
	LastError      string                       // why the last reload was refused; empty when it was not
}

// Check is one condition of readiness.
type Check struct {
	Name   string
	OK     bool
	Detail string // for people
}

// New returns the interface. It fails when State is missing.
func New(o Options) (http.Handler, error) {
	if o.State == nil {
		return nil, errors.New("make API: State is missing")
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Peers == nil {
		o.Peers = func() []mep.PeerStatus { return nil }
	}
	if o.MEPEndings == nil {
		o.MEPEndings = func() map[mep.Ending]uint64 { return nil }
	}
	if o.MEPRejections == nil {
		o.MEPRejections = func() map[mep.Rejection]uint64 { return nil }
	}
	if o.DNSStats == nil {
		o.DNSStats = func() adns.Stats { return adns.Stats{} }
	}
	if o.ProbeStats == nil {
		o.ProbeStats = func() monitors.Stats { return monitors.Stats{} }
	}
	if o.TransferStats == nil {
		o.TransferStats = func() transfer.Stats { return transfer.Stats{} }
	}
	if o.Secondaries == nil {
		o.Secondaries = func() []transfer.SecondaryStatus { return nil }
	}
	if o.Groups == nil {
		o.Groups = func() []GroupStatus { return nil }
	}
	if o.Geo == nil {
		o.Geo = func() []GeoStatus { return nil }
	}
	if o.PushLoad == nil {
		o.PushLoad = func(string, metric.Metrics, time.Time) error { return monitors.ErrNotPushed }
	}
	o.monitorDefaults()
	if o.Sketch == nil {
		o.Sketch = func() sketch.View { return sketch.View{} }
	}
	if o.SketchSize == nil {
		o.SketchSize = func() (int, uint64) { return 0, 0 }
	}
	if o.Peak == nil {
		o.Peak = func() resource.ConnectionHistory { return resource.ConnectionHistory{} }
	}
	if o.Headroom == nil {
		o.Headroom = func() []resource.Headroom { return nil }
	}
	if o.Ready == nil {
		o.Ready = func() []Check { return nil }
	}
	r := &resources{Options: o, log: o.Logger.Named("api"), rights: rights(), tagger: newTagger(o.TagKey), refusals: newRefusalCounts(), stop: make(chan struct{}),
		attempts:    rate.NewLimiter(rate.Every(attemptInterval), attemptBurst),
		explaining:  newLine("explanations", maxExplaining, maxExplainWaiting),
		askingSites: newLine("questions to other sites", maxAskingSites, maxSitesWaiting),
		whatIfs:     newLine("what-if questions", maxWhatIf, maxWhatIfWaiting),
		largeBodies: newLine("large bodies", maxLargeBodies, maxLargeWaiting),
		testing:     newLine("tests of monitors and load sources", maxTesting, maxTestsWaiting)}
	router, err := r.route()
	if err != nil {
		return nil, err
	}
	return &handler{Handler: r.guard(oneName(router)), log: r.log, stop: sync.OnceFunc(func() { close(r.stop) })}, nil
}

// monitorDefaults fills in what monitors and load sources would tell.
func (o *Options) monitorDefaults() {
	if o.Verdicts == nil {
		o.Verdicts = func(string) []monitors.Verdict { return nil }
	}
	if o.MonitoredServices == nil {
		o.MonitoredServices = func() []string { return nil }
	}
	if o.LoadSource == nil {
		o.LoadSource = func(string) (monitors.SourceStatus, bool) { return monitors.SourceStatus{}, false }
	}
	if o.ProbeCounts == nil {
		o.ProbeCounts = func() []probe.KindCounts { return nil }
	}
	if o.LoadCounts == nil {
		o.LoadCounts = func() []monitors.ReadCounts { return nil }
	}
}

// handler is what New returns: the guarded routes, with the log that Server's own messages go to.
type handler struct {
	http.Handler
	log  *zap.Logger
	stop func() // ends responses that would go on
}

// resources answers requests.
type resources struct {
	Options
	log     *zap.Logger
	refused every // limits the log of refused requests
	denied  every // and that of who may not

	rights   map[string]right
	refusals refusalCounts
	attempts *rate.Limiter // lines of the audit log about refused attempts
	unsaid   atomic.Int64  // of them, that had no line

	stop      chan struct{} // closed when the server stops
	tagger    tagger
	listening atomic.Int32 // clients of events
	keys      idempotencyKeys

	explaining, askingSites, whatIfs, testing, largeBodies *line
}

// state returns the moment that a request is answered from.
func (r *resources) state() (*State, error) {
	st := r.State()
	if st == nil || st.Snapshot == nil || st.Document == nil {
		return nil, notReady()
	}
	return st, nil
}

// route makes the table of routes and the OpenAPI document from it.
func (r *resources) route() (*chi.Mux, error) {
	router := chi.NewMux()
	router.Use(middleware.GetHead)
	router.NotFound(noSuchResource)
	router.MethodNotAllowed(methodNotAllowed(router))

	rest := humachi.New(router.With(onlyJSON), openAPIConfig(r.Version))
	r.registerServices(rest)
	r.registerSites(rest)
	r.registerDocument(rest)
	r.registerSecondaries(rest)
	r.registerGroups(rest)
	r.registerGeo(rest)
	r.registerLocate(rest)
	r.registerExplain(rest)
	r.registerSketch(rest)
	r.registerWhatIf(rest)
	r.registerPush(rest)
	r.registerTrials(rest)
	r.registerMeasurements(rest)
	r.registerOverrides(rest)
	r.registerSessions(rest)
	r.registerResolvers(rest)
	r.registerVersion(rest)
	r.registerObjects(rest)
	r.registerConfig(rest)
	r.registerRevisions(rest)
	r.registerSync(rest)
	r.registerEvents(rest)
	r.registerBackup(rest)
	r.registerTokens(rest)
	r.registerAudit(rest)

	metrics, err := r.metrics()
	if err != nil {
		return nil, err
	}
	r.plain(rest, router, plainRoute{path: "/livez", summary: "Whether the process runs", handler: http.HandlerFunc(livez)})
	r.plain(rest, router, plainRoute{path: "/readyz", summary: "Whether queries may be sent here", handler: http.HandlerFunc(r.readyz),
		query: &huma.Param{Name: "verbose", In: "query", Description: "List the checks.", AllowEmptyValue: true, Schema: &huma.Schema{Type: huma.TypeString}},
		also:  http.StatusServiceUnavailable})
	r.plain(rest, router, plainRoute{path: "/metrics", summary: "Metrics in Prometheus' text format", handler: metrics})
	return router, r.registerOpenAPI(rest, router)
}
