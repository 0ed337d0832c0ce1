package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/gslb"
)

const (
	measurementsPath = "/v1/measurements"
	measurementPath  = measurementsPath + "/{address}/{length}"
	// leastMeasured and mostMeasured bound how long a measurement counts.
	leastMeasured, mostMeasured = time.Second, 7 * 24 * time.Hour
)

type measureInput struct {
	Address string `path:"address" maxLength:"45" doc:"First address of the prefix."`
	Length  int    `path:"length" minimum:"0" maximum:"128" doc:"Its length in bits."`
	Body    resource.MeasurementReport

	prefix netip.Prefix // set by Resolve
}

// Resolve reads the prefix.
func (in *measureInput) Resolve(ctx huma.Context) (faults []error) {
	in.prefix, faults = readPrefix(in.Address, in.Length)
	return append(strictQuery(ctx), faults...)
}

type unmeasureInput struct {
	Address string `path:"address" maxLength:"45" doc:"First address of the prefix."`
	Length  int    `path:"length" minimum:"0" maximum:"128" doc:"Its length in bits."`

	prefix netip.Prefix // set by Resolve
}

// Resolve reads the prefix.
func (in *unmeasureInput) Resolve(ctx huma.Context) (faults []error) {
	in.prefix, faults = readPrefix(in.Address, in.Length)
	return append(strictQuery(ctx), faults...)
}

// readPrefix reads the clients that a path names.
func readPrefix(address string, length int) (netip.Prefix, []error) {
	a, err := netip.ParseAddr(address)
	switch {
	case err != nil || a.Zone() != "" || a.Is4In6():
		return netip.Prefix{}, []error{fault("/path/address", resource.CodeInvalid, "%q is not an IP address such as 203.0.113.0 or 2001:db8::", clip(address))}
	case length > a.BitLen():
		return netip.Prefix{}, []error{fault("/path/length", resource.CodeInvalid, "an address of this family has %d bits", a.BitLen())}
	}
	p := netip.PrefixFrom(a, length)
	if p != p.Masked() {
		return p, []error{fault("/path/address", resource.CodeInvalid, "%s has bits beyond its length; the prefix is %s", p, p.Masked())}
	}
	return p, nil
}

type measurementsInput struct {
	Client string `query:"client" maxLength:"64" doc:"Only what counts for this client, an address."`
	// The cursor is opaque to clients.
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Most prefixes on a page."`
	Cursor string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before."`

	client netip.Addr // set by Resolve
	from   int        // as well
}

// Resolve reads the parameters and reports everything that is wrong with them.
func (in *measurementsInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	var err error
	if in.from, err = readPosition(in.Cursor); err != nil {
		faults = append(faults, err)
	}
	if in.Client == "" {
		return faults
	}
	if in.client, err = netip.ParseAddr(in.Client); err != nil {
		faults = append(faults, fault("/query/client", resource.CodeInvalid, "%q is not an IP address such as 203.0.113.5", clip(in.Client)))
	}
	in.client = in.client.Unmap()
	return faults
}

type (
	measurementOutput  struct{ Body resource.Measurement }
	measurementsOutput struct {
		Link string `header:"Link" doc:"The following page (rel=next, RFC 8288)."`
		Body resource.MeasurementList
	}
)

func (r *resources) registerMeasurements(rest huma.API) {
	problems := []int{http.StatusBadRequest, http.StatusForbidden, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity, http.StatusServiceUnavailable, http.StatusInsufficientStorage}
	register(r, rest, huma.Operation{OperationID: "push-measurement", Method: http.MethodPut, Path: measurementPath, Tags: []string{"measurements"},
		Summary:     "Say how good services are for the clients of a prefix",
		Description: "For virtual servers whose method is api. The report replaces the one before. Of several prefixes that hold a client the longest counts."},
		problems, r.measure)
	register(r, rest, huma.Operation{OperationID: "drop-measurement", Method: http.MethodDelete, Path: measurementPath, Tags: []string{"measurements"},
		Summary: "Forget the measurements of a prefix"}, []int{http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.unmeasure)
	register(r, rest, huma.Operation{OperationID: "list-measurements", Method: http.MethodGet, Path: measurementsPath, Tags: []string{"measurements"},
		Summary: "Measurements that were pushed"}, []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.measurements)
}

func (r *resources) measure(_ context.Context, in *measureInput) (*measurementOutput, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	values, err := valuesOf(st.Snapshot.GSLB.Plan, &in.Body, now)
	if err != nil {
		return nil, err
	}
	err = st.Snapshot.Learned.Pushed.Set(in.prefix, values, now.Unix())
	switch {
	case errors.Is(err, gslb.ErrPushedFull):
		return nil, newProblem(http.StatusInsufficientStorage, resource.Fault{Pointer: "/path", Code: resource.CodeTooMany,
			Detail: err.Error() + "; push wider prefixes, or for a shorter time"})
	case err != nil:
		return nil, err
	}
	return &measurementOutput{describeMeasurement(st.Snapshot.GSLB.Plan, in.prefix, values, now)}, nil
}

// valuesOf reads a report, or says everything that is wrong with it.
func valuesOf(plan *gslb.Plan, report *resource.MeasurementReport, now time.Time) ([]gslb.PushedValue, error) {
	var faults []resource.Fault
	lasting := resource.DefaultMeasurementFor
	if report.For != "" {
		var err error
		if lasting, err = time.ParseDuration(report.For); err != nil || lasting < leastMeasured || lasting > mostMeasured {
			faults = append(faults, resource.Fault{Pointer: "/body/for", Code: resource.CodeInvalid,
				Detail: fmt.Sprintf("for is not a duration from %s to %s such as 90s or 2h, but %s", leastMeasured, mostMeasured, echo(report.For))})
		}
	}
	var values []gslb.PushedValue
	seen := map[string]bool{}
	for i := range report.Values {
		v, place := &report.Values[i], "/body/values/"+strconv.Itoa(i)+"/service"
		index, ok := plan.ServiceByName(v.Service)
		switch {
		case !ok:
			faults = append(faults, resource.Fault{Pointer: place, Code: resource.CodeNoSuchService,
				Detail: "the document has no service " + echo(v.Service) + "; " + servicesPath + " lists them"})
			continue
		case seen[v.Service]:
			faults = append(faults, resource.Fault{Pointer: place, Code: resource.CodeInvalid, Detail: "service " + echo(v.Service) + " is there twice"})
			continue
		}
		seen[v.Service] = true
		values = append(values, gslb.PushedValue{Service: plan.Service(index).Hash, Value: v.Value, Until: now.Add(lasting).Unix()})
	}
	if len(faults) > 0 {
		return nil, newProblem(http.StatusUnprocessableEntity, faults...)
	}
	return values, nil
}

func (r *resources) unmeasure(_ context.Context, in *unmeasureInput) (*struct{}, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	pushed := st.Snapshot.Learned.Pushed
	if _, ok := pushed.Get(in.prefix); !ok {
		return nil, newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path", Code: resource.CodeNoSuchMeasurement,
			Detail: fmt.Sprintf("nothing was pushed for %s; %s lists what was", in.prefix, measurementsPath)})
	}
	return nil, pushed.Set(in.prefix, nil, time.Now().Unix())
}

func (r *resources) measurements(_ context.Context, in *measurementsInput) (*measurementsOutput, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	now, plan, pushed := time.Now(), st.Snapshot.GSLB.Plan, st.Snapshot.Learned.Pushed
	out := &measurementsOutput{Body: resource.MeasurementList{Measurements: []resource.Measurement{}, Prefixes: pushed.Len(), Max: gslb.MaxPushedPrefixes, At: now.UTC()}}
	at := 0
	pushed.Each(func(prefix netip.Prefix, values []gslb.PushedValue) bool {
		if at++; at <= in.from || in.client.IsValid() && !prefix.Contains(in.client) {
			return true
		}
		if len(out.Body.Measurements) == in.Limit {
			out.Body.NextCursor = cursor(strconv.Itoa(at - 1))
			return false
		}
		if m := describeMeasurement(plan, prefix, values, now); len(m.Values) > 0 {
			out.Body.Measurements = append(out.Body.Measurements, m)
		}
		return true
	})
	if out.Body.NextCursor != "" {
		q := url.Values{"limit": {strconv.Itoa(in.Limit)}, "cursor": {out.Body.NextCursor}}
		if in.Client != "" {
			q.Set("client", in.Client)
		}
		out.Link = fmt.Sprintf("<%s?%s>; rel=\"next\"", measurementsPath, q.Encode())
	}
	return out, nil
}

func describeMeasurement(plan *gslb.Plan, prefix netip.Prefix, values []gslb.PushedValue, now time.Time) resource.Measurement {
	out := resource.Measurement{Prefix: prefix, Values: []resource.PushedValue{}}
	for _, v := range values {
		if v.Until <= now.Unix() {
			continue
		}
		one := resource.PushedValue{Value: v.Value, EndsInSeconds: time.Unix(v.Until, 0).Sub(now).Seconds()}
		if i, ok := plan.ServiceByHash(v.Service); ok {
			one.Service = plan.Service(i).Name
		}
		out.Values = append(out.Values, one)
	}
	return out
}
