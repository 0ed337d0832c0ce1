package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/internal/access"
	"fairlead/internal/audit"
	"fairlead/monitors/trial"
)

const (
	monitorTestPath = "/v1/monitors/{name}/test"
	loadTestPath    = "/v1/services/{name}/load/test"
	// trialLimit is the longest that a test takes. It is below the time that an answer has to be written in.
	trialLimit = writeTimeout - 5*time.Second
)

// Trials runs monitors and reads load sources on demand, as trial.Trials does.
type Trials interface {
	Monitor(ctx context.Context, doc *config.Document, q trial.Question) (*trial.Trial, error)
	Load(ctx context.Context, doc *config.Document, service string) (*trial.Read, error)
}

type monitorTestInput struct {
	Name string `path:"name" maxLength:"127" doc:"Name of the monitor in the document."`
	Body resource.MonitorQuestion
}

// Resolve refuses query parameters.
func (in *monitorTestInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type (
	monitorTestOutput struct{ Body resource.MonitorTest }
	loadTestOutput    struct{ Body resource.LoadTest }
)

func (r *resources) registerTrials(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "test-monitor", Method: http.MethodPost, Path: monitorTestPath, Tags: []string{"monitors"},
		Summary: "Run a monitor once, and tell what was seen on the way",
		Description: "The node probes each address of the services that bind the monitor, or the target that is given, with its own secrets and within " +
			"what its node file lets monitors reach. No verdict follows."},
		[]int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge,
			http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.testMonitor)
	register(r, rest, huma.Operation{OperationID: "test-load", Method: http.MethodPost, Path: loadTestPath, Tags: []string{"load"},
		Summary: "Read a load source once, and tell what it says", Description: "No load is reported."},
		[]int{http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.testLoad)
}

// enterTrial waits for the turn of a test: each opens connections.
func (r *resources) enterTrial(ctx context.Context) (*State, func(), error) {
	st, err := r.state()
	if err != nil {
		return nil, nil, err
	}
	if r.Trials == nil {
		return nil, nil, notReady()
	}
	waiting, stop := context.WithTimeout(ctx, trialWait)
	defer stop()
	leave, err := r.testing.enter(waiting)
	return st, leave, err
}

// mayTest refuses who may not see the secrets of a monitor to have them sent to a target that they name.
func (r *resources) mayTest(ctx context.Context, in *monitorTestInput) error {
	if in.Body.Target == "" || r.Documents == nil {
		return nil
	}
	m := r.Documents.Current().Objects.Get(config.ObjectKey{Kind: config.ObjectMonitor, Name: in.Name})
	if m == nil || !m.UsesSecrets() {
		return nil
	}
	return r.may(ctx, audit.Entry{Action: "test-monitor", Object: m.Key().String()}, access.Administer)
}

func (r *resources) testMonitor(ctx context.Context, in *monitorTestInput) (*monitorTestOutput, error) {
	if err := r.mayTest(ctx, in); err != nil {
		return nil, err
	}
	st, leave, err := r.enterTrial(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, trialLimit)
	defer cancel()
	got, err := r.Trials.Monitor(ctx, st.Document, trial.Question{Monitor: in.Name, Service: in.Body.Service, Target: in.Body.Target})
	if err != nil {
		return nil, refusedTrial(err, in)
	}
	out := ShowTrial(got, time.Now())
	out.Site = r.Site
	if in.Body.Target == "" {
		r.addHeld(st, got.Runs, out.Runs)
	}
	return &monitorTestOutput{*out}, nil
}

func refusedTrial(err error, in *monitorTestInput) error {
	f := resource.Fault{Detail: err.Error()}
	switch {
	case errors.Is(err, trial.ErrNoMonitor):
		f.Pointer, f.Code = "/path/name", resource.CodeNoSuchMonitor
		f.Detail = "the document has no monitor \"" + clip(in.Name) + "\""
		return newProblem(http.StatusNotFound, f)
	case errors.Is(err, trial.ErrNoService):
		f.Pointer, f.Code = "/body/service", resource.CodeNoSuchService
		f.Detail = "the document has no service \"" + clip(in.Body.Service) + "\"; " + servicesPath + " lists them"
	case errors.Is(err, trial.ErrNothing):
		f.Pointer, f.Code = "/body/target", resource.CodeRequired
	case errors.Is(err, trial.ErrTarget):
		f.Pointer, f.Code = "/body/target", resource.CodeInvalid
	default:
		return err
	}
	return newProblem(http.StatusUnprocessableEntity, f)
}

// addHeld adds what is held of what was probed.
func (r *resources) addHeld(st *State, runs []trial.Run, shown []resource.MonitorRun) {
	now := time.Now()
	types := monitorTypes(st.Document)
	for i := range runs {
		for _, v := range r.Verdicts(runs[i].Service) {
			if v.Monitor == runs[i].Monitor.Name && v.Address == runs[i].Address {
				held := showVerdict(&v, types, now)
				shown[i].Held = &held
			}
		}
	}
}

func (r *resources) testLoad(ctx context.Context, in *nameInput) (*loadTestOutput, error) {
	st, leave, err := r.enterTrial(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, trialLimit)
	defer cancel()
	got, err := r.Trials.Load(ctx, st.Document, in.Name)
	switch {
	case errors.Is(err, trial.ErrNoService):
		return nil, noSuchService(in.Name)
	case errors.Is(err, trial.ErrNoLoad):
		return nil, newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path/name", Code: resource.CodeNoLoadSource,
			Detail: "service \"" + clip(in.Name) + "\" has no load source; give it load: in the document"})
	case err != nil:
		return nil, err
	}
	out := ShowRead(got, time.Now())
	out.Site = r.Site
	return &loadTestOutput{*out}, nil
}
