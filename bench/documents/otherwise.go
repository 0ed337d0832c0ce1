package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// mergePatch is what changes of objects are written as.
const mergePatch = "application/merge-patch+json"

// alteration is a kind of change besides that of a service's addresses.
type alteration struct {
	what   string
	method string
	// change is the object that the i-th change is made to, and what is sent.
	change func(m *mesh, i int) (path, kind, body string)
}

// alterations are made in this order: services that were added become members, leave again, and are removed.
var alterations = [...]alteration{
	{"a site's comment changed", http.MethodPatch, func(m *mesh, i int) (path, kind, body string) {
		return "/v1/sites/" + m.sites[i%len(m.sites)].name, mergePatch, fmt.Sprintf(`{"comment":"change %d"}`, i)
	}},
	{"a site's location changed", http.MethodPatch, func(m *mesh, i int) (path, kind, body string) {
		return "/v1/sites/" + m.sites[i%len(m.sites)].name, mergePatch, fmt.Sprintf(`{"location":{"latitude":%d,"longitude":5}}`, i%90)
	}},
	{"a service added", http.MethodPut, func(m *mesh, i int) (path, kind, body string) {
		return "/v1/services/" + added(i), "application/json", fmt.Sprintf(`{"site":"s%d","addresses":["198.19.%d.%d"],"port":443}`, i%len(m.sites), i/250%250, i%250+1)
	}},
	{"a member added", http.MethodPatch, func(m *mesh, i int) (path, kind, body string) {
		which := i * 37 % (m.plan.services / 2)
		return "/v1/virtual-servers/" + server(which), mergePatch, fmt.Sprintf(`{"members":[{"service":%q,"order":1},{"service":%q,"order":2},{"service":%q,"order":3}]}`,
			service(2*which), service(2*which+1), added(i))
	}},
	{"a member removed", http.MethodPatch, func(m *mesh, i int) (path, kind, body string) {
		which := i * 37 % (m.plan.services / 2)
		return "/v1/virtual-servers/" + server(which), mergePatch, fmt.Sprintf(`{"members":[{"service":%q,"order":1},{"service":%q,"order":2}]}`,
			service(2*which), service(2*which+1))
	}},
	{"a service removed", http.MethodDelete, func(_ *mesh, i int) (path, kind, body string) { return "/v1/services/" + added(i), "", "" }},
}

func added(i int) string  { return fmt.Sprintf("service%05dx", i*37) }
func server(i int) string { return fmt.Sprintf("web%05d", i) }

// otherwise makes changes of all other kinds, until they are acknowledged, and until all other sites serve them.
func (m *mesh) otherwise(ctx context.Context, r *results) error {
	for k := range alterations {
		a := &alterations[k]
		written, all := r.of(a.what+", until acknowledged"), r.of(a.what+", until all other sites serve it")
		spent := cpuTime()
		began := time.Now()
		for i := range m.plan.others {
			at := m.sites[i%len(m.sites)]
			path, kind, body := a.change(m, i)
			start := time.Now()
			if err := at.send(ctx, a.method, path, kind, []byte(body)); err != nil {
				return err
			}
			written.since(start)
			if err := m.serving(ctx, at); err != nil {
				return err
			}
			all.since(start)
			if err := pause(ctx, m.plan.pause); err != nil {
				return err
			}
		}
		if m.plan.others > 0 {
			written.cpu = time.Duration(float64(cpuTime()-spent)-r.idle*float64(time.Since(began))) / time.Duration(m.plan.others)
		}
	}
	return nil
}
