package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/internal/access"
	"fairlead/internal/audit"
	"fairlead/monitors"
	"fairlead/monitors/metric"
)

const pushPath = "/v1/services/{name}/load"

// maxAhead is how far ahead of this node's clock a report may be dated; it then counts as of now. One that is further
// ahead would stay fresh, and refuse all that follow as outdated, until its time has come.
const maxAhead = 5 * time.Second

type pushInput struct {
	Name string `path:"name" maxLength:"127" doc:"Name of the service in the document."`
	Body resource.LoadReport
}

// Resolve refuses query parameters.
func (in *pushInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

func (r *resources) registerPush(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "push-load", Method: http.MethodPut, Path: pushPath, Tags: []string{"load"},
		Summary: "Report how busy a service is",
		Description: "For services of this node's site whose document says load: {source: push}. The last report counts: a metric that it " +
			"leaves out goes on ageing. Totals are counters that only grow; their rate over 14 s counts."},
		[]int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict,
			http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.push)
}

func (r *resources) push(ctx context.Context, in *pushInput) (*struct{}, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	var labels map[string]string
	if s := documentService(st.Document, in.Name); s != nil {
		labels = s.Labels
	}
	if err := r.may(ctx, audit.Entry{}, access.Operate, labels); err != nil {
		return nil, err
	}
	now, at := time.Now(), in.Body.At
	switch {
	case at.After(now.Add(maxAhead)):
		return nil, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/body/at", Code: resource.CodeInvalid,
			Detail: fmt.Sprintf("the report is dated %s ahead of this node's clock; set the clocks, or leave at out", at.Sub(now).Round(time.Second))})
	case at.IsZero(), at.After(now):
		at = now
	}
	told := toldBy(&in.Body)
	err = r.PushLoad(in.Name, told, at)
	switch {
	case errors.Is(err, monitors.ErrNotPushed):
		return nil, r.notPushed(st.Document, in.Name)
	case errors.Is(err, monitors.ErrOutdated):
		return nil, newProblem(http.StatusConflict, resource.Fault{Pointer: "/body/at", Code: resource.CodeOutdated,
			Detail: "a later report was pushed before; this one is not taken"})
	case errors.Is(err, monitors.ErrNothingTold):
		return nil, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/body", Code: resource.CodeRequired,
			Detail: "the report tells nothing; give at least one metric, such as active"})
	case errors.Is(err, metric.ErrRange):
		return nil, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/body", Code: resource.CodeInvalid,
			Detail: "a metric is not from 0 to 2^53"})
	}
	return nil, err
}

// toldBy is a report as a load source tells it.
func toldBy(r *resource.LoadReport) metric.Metrics {
	var out metric.Metrics
	if r.Active != nil {
		out.Set(metric.Active, float64(*r.Active))
	}
	for _, one := range []struct {
		value  *float64
		metric metric.Metric
		factor float64
	}{
		{r.RequestsPerSecond, metric.Requests, 1}, {r.RequestsTotal, metric.RequestsTotal, 1},
		{r.ResponseTimeMS, metric.ResponseTime, 1e-3}, {r.BitsPerSecond, metric.Bandwidth, 1},
		{r.BytesTotal, metric.BytesTotal, 1}, {r.PacketsPerSecond, metric.Packets, 1},
		{r.PacketsTotal, metric.PacketsTotal, 1}, {r.Custom, metric.CustomLoad, 1},
		{r.Members, metric.Members, 1}, {r.MemberWeight, metric.MemberWeight, 1}, {r.Capacity, metric.Capacity, 1},
	} {
		if one.value != nil {
			out.Set(one.metric, *one.value*one.factor)
		}
	}
	return out
}

// notPushed says why a service takes no reports here.
func (r *resources) notPushed(d *config.Document, name string) error {
	s := documentService(d, name)
	f := resource.Fault{Pointer: "/path/name", Code: resource.CodeNotPushed}
	switch {
	case s == nil:
		return noSuchService(name)
	case s.Site != r.Site:
		f.Code = resource.CodeOtherSite
		f.Detail = fmt.Sprintf("service %q belongs to site %q; push its load to a node there", name, s.Site)
	case s.Load == nil:
		f.Detail = fmt.Sprintf("service %q has no load source; give it load: {source: %s} in the document", name, config.LoadPush)
	default:
		f.Detail = fmt.Sprintf("the load of service %q is read from its %s source; only services with load: {source: %s} take reports",
			name, s.Load.Source, config.LoadPush)
	}
	return newProblem(http.StatusNotFound, f)
}
