// Code generated from the OpenAPI document of the interface; DO NOT EDIT.
// go test ./internal/clientgen -update

package client

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"fairlead/api/resource"
)

// ClearService asks for POST /v1/services/{name}/clear: end the override of a service.
func (api API) ClearService(ctx context.Context, name string, body resource.Withdrawal) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/services/" + url.PathEscape(name) + "/clear", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// ClearServiceGroup asks for POST /v1/service-groups/{name}/clear: end the override of all services of a group.
func (api API) ClearServiceGroup(ctx context.Context, name string, body resource.Withdrawal) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/service-groups/" + url.PathEscape(name) + "/clear", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// ClearSite asks for POST /v1/sites/{name}/clear: end the override of all services of a site.
func (api API) ClearSite(ctx context.Context, name string, body resource.Withdrawal) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/sites/" + url.PathEscape(name) + "/clear", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// ClearVirtualServer asks for POST /v1/virtual-servers/{name}/clear: end the override of a virtual server.
func (api API) ClearVirtualServer(ctx context.Context, name string, body resource.Withdrawal) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/virtual-servers/" + url.PathEscape(name) + "/clear", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// ConfirmRevision asks for POST /v1/revisions/{id}/confirm: keep what was written with confirm.
func (api API) ConfirmRevision(ctx context.Context, id string) (*resource.Revision, error) {
	i := &invocation{method: "POST", path: "/v1/revisions/" + url.PathEscape(id) + "/confirm", query: url.Values{}, header: http.Header{}}
	return invoke[resource.Revision](ctx, api, i)
}

// CreateToken asks for POST /v1/tokens: make a token, which is shown once.
func (api API) CreateToken(ctx context.Context, body resource.NewToken) (*resource.CreatedToken, error) {
	i := &invocation{method: "POST", path: "/v1/tokens", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.CreatedToken](ctx, api, i)
}

// DeleteFile asks for DELETE /v1/files/{path}: delete one zone file.
func (api API) DeleteFile(ctx context.Context, path string, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "DELETE", path: "/v1/files/" + url.PathEscape(path), query: url.Values{}, header: http.Header{}}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// DeleteLocation asks for DELETE /v1/locations/{name}: delete one location.
func (api API) DeleteLocation(ctx context.Context, name string, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "DELETE", path: "/v1/locations/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// DeleteMonitor asks for DELETE /v1/monitors/{name}: delete one monitor.
func (api API) DeleteMonitor(ctx context.Context, name string, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "DELETE", path: "/v1/monitors/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// DeleteService asks for DELETE /v1/services/{name}: delete one service.
func (api API) DeleteService(ctx context.Context, name string, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "DELETE", path: "/v1/services/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// DeleteServiceGroup asks for DELETE /v1/service-groups/{name}: delete one service group.
func (api API) DeleteServiceGroup(ctx context.Context, name string, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "DELETE", path: "/v1/service-groups/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// DeleteSettings asks for DELETE /v1/settings: go back to what counts without the settings of the document.
func (api API) DeleteSettings(ctx context.Context, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "DELETE", path: "/v1/settings", query: url.Values{}, header: http.Header{}}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// DeleteSite asks for DELETE /v1/sites/{name}: delete one site.
func (api API) DeleteSite(ctx context.Context, name string, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "DELETE", path: "/v1/sites/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// DeleteView asks for DELETE /v1/views/{name}: delete one view.
func (api API) DeleteView(ctx context.Context, name string, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "DELETE", path: "/v1/views/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// DeleteViewOrder asks for DELETE /v1/view-order: go back to what counts without the order in which views are tried.
func (api API) DeleteViewOrder(ctx context.Context, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "DELETE", path: "/v1/view-order", query: url.Values{}, header: http.Header{}}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// DeleteVirtualServer asks for DELETE /v1/virtual-servers/{name}: delete one virtual server.
func (api API) DeleteVirtualServer(ctx context.Context, name string, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "DELETE", path: "/v1/virtual-servers/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// DeleteZone asks for DELETE /v1/zones/{name}: delete one zone.
func (api API) DeleteZone(ctx context.Context, name string, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "DELETE", path: "/v1/zones/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// DiffRevisions asks for GET /v1/revisions/{a}/diff/{b}: how the documents of two revisions differ.
func (api API) DiffRevisions(ctx context.Context, a string, b string) (*resource.RevisionDiff, error) {
	i := &invocation{method: "GET", path: "/v1/revisions/" + url.PathEscape(a) + "/diff/" + url.PathEscape(b), query: url.Values{}, header: http.Header{}}
	return invoke[resource.RevisionDiff](ctx, api, i)
}

// DisableService asks for POST /v1/services/{name}/disable: override the document for a time: disable a service.
func (api API) DisableService(ctx context.Context, name string, body resource.Order) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/services/" + url.PathEscape(name) + "/disable", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// DisableServiceGroup asks for POST /v1/service-groups/{name}/disable: override the document for a time: disable all services of a group.
func (api API) DisableServiceGroup(ctx context.Context, name string, body resource.Order) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/service-groups/" + url.PathEscape(name) + "/disable", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// DisableSite asks for POST /v1/sites/{name}/disable: override the document for a time: disable all services of a site.
func (api API) DisableSite(ctx context.Context, name string, body resource.Order) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/sites/" + url.PathEscape(name) + "/disable", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// DisableVirtualServer asks for POST /v1/virtual-servers/{name}/disable: override the document for a time: disable a virtual server.
func (api API) DisableVirtualServer(ctx context.Context, name string, body resource.Order) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/virtual-servers/" + url.PathEscape(name) + "/disable", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// Docs asks for GET /docs: this interface as a page for people.
func (api API) Docs(ctx context.Context) (*Text, error) {
	i := &invocation{method: "GET", path: "/docs", query: url.Values{}, header: http.Header{}}
	return api.text(ctx, i)
}

// DrainService asks for POST /v1/services/{name}/drain: override the document for a time: drain a service.
func (api API) DrainService(ctx context.Context, name string, body resource.Order) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/services/" + url.PathEscape(name) + "/drain", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// DrainServiceGroup asks for POST /v1/service-groups/{name}/drain: override the document for a time: drain all services of a group.
func (api API) DrainServiceGroup(ctx context.Context, name string, body resource.Order) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/service-groups/" + url.PathEscape(name) + "/drain", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// DrainSite asks for POST /v1/sites/{name}/drain: override the document for a time: drain all services of a site.
func (api API) DrainSite(ctx context.Context, name string, body resource.Order) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/sites/" + url.PathEscape(name) + "/drain", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// DrainVirtualServer asks for POST /v1/virtual-servers/{name}/drain: override the document for a time: drain a virtual server.
func (api API) DrainVirtualServer(ctx context.Context, name string, body resource.Order) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/virtual-servers/" + url.PathEscape(name) + "/drain", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// DropMeasurement asks for DELETE /v1/measurements/{address}/{length}: forget the measurements of a prefix.
func (api API) DropMeasurement(ctx context.Context, address string, length string) error {
	i := &invocation{method: "DELETE", path: "/v1/measurements/" + url.PathEscape(address) + "/" + url.PathEscape(length), query: url.Values{}, header: http.Header{}}
	return api.nothing(ctx, i)
}

// DropSessionsParams are what DropSessions takes besides. What is empty is not sent.
type DropSessionsParams struct {
	VirtualServer string // Sessions of this virtual server.
	Client        string // Sessions of this client, an address.
	All           bool   // Forget all sessions. Not with other parameters.
}

// DropSessions asks for DELETE /v1/sessions: forget sessions.
func (api API) DropSessions(ctx context.Context, p DropSessionsParams) (*resource.Dropped, error) {
	i := &invocation{method: "DELETE", path: "/v1/sessions", query: url.Values{}, header: http.Header{}}
	i.set("query", "virtual_server", p.VirtualServer)
	i.set("query", "client", p.Client)
	i.setBool("query", "all", p.All)
	return invoke[resource.Dropped](ctx, api, i)
}

// EnableService asks for POST /v1/services/{name}/enable: override the document for a time: enable a service.
func (api API) EnableService(ctx context.Context, name string, body resource.Order) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/services/" + url.PathEscape(name) + "/enable", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// EnableServiceGroup asks for POST /v1/service-groups/{name}/enable: override the document for a time: enable all services of a group.
func (api API) EnableServiceGroup(ctx context.Context, name string, body resource.Order) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/service-groups/" + url.PathEscape(name) + "/enable", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// EnableSite asks for POST /v1/sites/{name}/enable: override the document for a time: enable all services of a site.
func (api API) EnableSite(ctx context.Context, name string, body resource.Order) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/sites/" + url.PathEscape(name) + "/enable", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// EnableVirtualServer asks for POST /v1/virtual-servers/{name}/enable: override the document for a time: enable a virtual server.
func (api API) EnableVirtualServer(ctx context.Context, name string, body resource.Order) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/virtual-servers/" + url.PathEscape(name) + "/enable", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// ExplainParams are what Explain takes besides. What is empty is not sent.
type ExplainParams struct {
	Name     string // Name that is asked for; a final dot is taken as there.
	Type     string // Type: a mnemonic in any case, or TYPEnnn.
	Client   string // Address that the query comes from: the resolver's. Default: the caller's own.
	Subnet   string // EDNS Client Subnet (RFC 7871) that the query carries, as address/length.
	Listener string // Address of the server that is asked: views and policies may look at it.
	AtSite   string // Site whose node is to say what it would answer. Default: this one.
}

// Explain asks for GET /v1/explain: what a client would be answered, why, and what would change it.
func (api API) Explain(ctx context.Context, p ExplainParams) (*resource.Explanation, error) {
	i := &invocation{method: "GET", path: "/v1/explain", query: url.Values{}, header: http.Header{}}
	i.set("query", "name", p.Name)
	i.set("query", "type", p.Type)
	i.set("query", "client", p.Client)
	i.set("query", "subnet", p.Subnet)
	i.set("query", "listener", p.Listener)
	i.set("query", "at_site", p.AtSite)
	return invoke[resource.Explanation](ctx, api, i)
}

// GetDocumentStatus asks for GET /v1/status/document: which document is in use.
func (api API) GetDocumentStatus(ctx context.Context) (*resource.Document, error) {
	i := &invocation{method: "GET", path: "/v1/status/document", query: url.Values{}, header: http.Header{}}
	return invoke[resource.Document](ctx, api, i)
}

// GetIdentity asks for GET /v1/identity: who asks, and what they may do.
func (api API) GetIdentity(ctx context.Context) (*resource.Identity, error) {
	i := &invocation{method: "GET", path: "/v1/identity", query: url.Values{}, header: http.Header{}}
	return invoke[resource.Identity](ctx, api, i)
}

// GetResolver asks for GET /v1/ldns/{address}: round-trip times of one resolver.
func (api API) GetResolver(ctx context.Context, address string) (*resource.Resolver, error) {
	i := &invocation{method: "GET", path: "/v1/ldns/" + url.PathEscape(address), query: url.Values{}, header: http.Header{}}
	return invoke[resource.Resolver](ctx, api, i)
}

// GetRevision asks for GET /v1/revisions/{id}: one revision and what it changed.
func (api API) GetRevision(ctx context.Context, id string) (*resource.Revision, error) {
	i := &invocation{method: "GET", path: "/v1/revisions/" + url.PathEscape(id), query: url.Values{}, header: http.Header{}}
	return invoke[resource.Revision](ctx, api, i)
}

// GetService asks for GET /v1/status/services/{name}: what is believed of one service.
func (api API) GetService(ctx context.Context, name string) (*resource.Service, error) {
	i := &invocation{method: "GET", path: "/v1/status/services/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	return invoke[resource.Service](ctx, api, i)
}

// GetSite asks for GET /v1/status/sites/{name}: one site and the exchange with it.
func (api API) GetSite(ctx context.Context, name string) (*resource.Site, error) {
	i := &invocation{method: "GET", path: "/v1/status/sites/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	return invoke[resource.Site](ctx, api, i)
}

// GetSketchParams are what GetSketch takes besides. What is empty is not sent.
type GetSketchParams struct {
	Limit int // Most entries, and most remainders.
}

// GetSketch asks for GET /v1/sketch: which balanced names are asked for from where, and how often.
func (api API) GetSketch(ctx context.Context, p GetSketchParams) (*resource.Sketch, error) {
	i := &invocation{method: "GET", path: "/v1/sketch", query: url.Values{}, header: http.Header{}}
	i.setInt("query", "limit", p.Limit)
	return invoke[resource.Sketch](ctx, api, i)
}

// GetSync asks for GET /v1/sync: how the document is shared with other sites.
func (api API) GetSync(ctx context.Context) (*resource.Sync, error) {
	i := &invocation{method: "GET", path: "/v1/sync", query: url.Values{}, header: http.Header{}}
	return invoke[resource.Sync](ctx, api, i)
}

// GetVersion asks for GET /v1/version: what runs here.
func (api API) GetVersion(ctx context.Context) (*resource.Version, error) {
	i := &invocation{method: "GET", path: "/v1/version", query: url.Values{}, header: http.Header{}}
	return invoke[resource.Version](ctx, api, i)
}

// ListAuditParams are what ListAudit takes besides. What is empty is not sent.
type ListAuditParams struct {
	Who    string // Only what this token or certificate did: its name or id.
	Object string // Only changes of this object, as kind/name, or of this kind.
	Since  string // Only what was done from then on (RFC 3339).
	Limit  int    // Most entries of a page.
	Cursor string // next_cursor of the page before.
}

// ListAudit asks for GET /v1/audit: who changed what at this node.
func (api API) ListAudit(ctx context.Context, p ListAuditParams) (*resource.AuditPage, error) {
	i := &invocation{method: "GET", path: "/v1/audit", query: url.Values{}, header: http.Header{}}
	i.set("query", "who", p.Who)
	i.set("query", "object", p.Object)
	i.set("query", "since", p.Since)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.AuditPage](ctx, api, i)
}

// ListConflicts asks for GET /v1/sync/conflicts: objects that were changed at several sites at once.
func (api API) ListConflicts(ctx context.Context) (*resource.ConflictList, error) {
	i := &invocation{method: "GET", path: "/v1/sync/conflicts", query: url.Values{}, header: http.Header{}}
	return invoke[resource.ConflictList](ctx, api, i)
}

// ListFileObjects asks for GET /v1/files: the zone files of the document.
func (api API) ListFileObjects(ctx context.Context, p ListObjectsParams) (*resource.ObjectList, error) {
	i := &invocation{method: "GET", path: "/v1/files", query: url.Values{}, header: http.Header{}}
	i.set("query", "site", p.Site)
	i.setList("query", "label", p.Label)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.ObjectList](ctx, api, i)
}

// ListGroupsParams are what ListGroups takes besides. What is empty is not sent.
type ListGroupsParams struct {
	Failing bool   // Only entries whose last attempt failed.
	Limit   int    // Most entries on a page.
	Cursor  string // next_cursor of the page before.
}

// ListGroups asks for GET /v1/status/groups: how the names of autoscaled service groups resolve.
func (api API) ListGroups(ctx context.Context, p ListGroupsParams) (*resource.GroupList, error) {
	i := &invocation{method: "GET", path: "/v1/status/groups", query: url.Values{}, header: http.Header{}}
	i.setBool("query", "failing", p.Failing)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.GroupList](ctx, api, i)
}

// ListLocationFiles asks for GET /v1/status/locations: how location files are.
func (api API) ListLocationFiles(ctx context.Context) (*resource.GeoFileList, error) {
	i := &invocation{method: "GET", path: "/v1/status/locations", query: url.Values{}, header: http.Header{}}
	return invoke[resource.GeoFileList](ctx, api, i)
}

// ListLocationObjects asks for GET /v1/locations: the locations of the document.
func (api API) ListLocationObjects(ctx context.Context, p ListObjectsParams) (*resource.ObjectList, error) {
	i := &invocation{method: "GET", path: "/v1/locations", query: url.Values{}, header: http.Header{}}
	i.set("query", "site", p.Site)
	i.setList("query", "label", p.Label)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.ObjectList](ctx, api, i)
}

// ListMeasurementsParams are what ListMeasurements takes besides. What is empty is not sent.
type ListMeasurementsParams struct {
	Client string // Only what counts for this client, an address.
	Limit  int    // Most prefixes on a page.
	Cursor string // next_cursor of the page before.
}

// ListMeasurements asks for GET /v1/measurements: measurements that were pushed.
func (api API) ListMeasurements(ctx context.Context, p ListMeasurementsParams) (*resource.MeasurementList, error) {
	i := &invocation{method: "GET", path: "/v1/measurements", query: url.Values{}, header: http.Header{}}
	i.set("query", "client", p.Client)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.MeasurementList](ctx, api, i)
}

// ListMonitorObjects asks for GET /v1/monitors: the monitors of the document.
func (api API) ListMonitorObjects(ctx context.Context, p ListObjectsParams) (*resource.ObjectList, error) {
	i := &invocation{method: "GET", path: "/v1/monitors", query: url.Values{}, header: http.Header{}}
	i.set("query", "site", p.Site)
	i.setList("query", "label", p.Label)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.ObjectList](ctx, api, i)
}

// ListOverrides asks for GET /v1/overrides: what operators want for a time.
func (api API) ListOverrides(ctx context.Context) (*resource.OverrideList, error) {
	i := &invocation{method: "GET", path: "/v1/overrides", query: url.Values{}, header: http.Header{}}
	return invoke[resource.OverrideList](ctx, api, i)
}

// ListPeers asks for GET /v1/status/peers: other sites: sessions with them, and their documents.
func (api API) ListPeers(ctx context.Context) (*resource.PeerList, error) {
	i := &invocation{method: "GET", path: "/v1/status/peers", query: url.Values{}, header: http.Header{}}
	return invoke[resource.PeerList](ctx, api, i)
}

// ListResolversParams are what ListResolvers takes besides. What is empty is not sent.
type ListResolversParams struct {
	Limit  int    // Most entries on a page.
	Cursor string // next_cursor of the page before.
}

// ListResolvers asks for GET /v1/ldns: resolvers and their round-trip times.
func (api API) ListResolvers(ctx context.Context, p ListResolversParams) (*resource.ResolverList, error) {
	i := &invocation{method: "GET", path: "/v1/ldns", query: url.Values{}, header: http.Header{}}
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.ResolverList](ctx, api, i)
}

// ListRevisionsParams are what ListRevisions takes besides. What is empty is not sent.
type ListRevisionsParams struct {
	Object string // Only revisions that changed this object, such as service/web-ams.
	Author string // Only revisions of this author.
	Limit  int    // Most entries on a page.
	Cursor string // next_cursor of the page before.
}

// ListRevisions asks for GET /v1/revisions: what came into effect here, newest first.
func (api API) ListRevisions(ctx context.Context, p ListRevisionsParams) (*resource.RevisionList, error) {
	i := &invocation{method: "GET", path: "/v1/revisions", query: url.Values{}, header: http.Header{}}
	i.set("query", "object", p.Object)
	i.set("query", "author", p.Author)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.RevisionList](ctx, api, i)
}

// ListSecondariesParams are what ListSecondaries takes besides. What is empty is not sent.
type ListSecondariesParams struct {
	Failing bool   // Only entries whose last attempt failed.
	Limit   int    // Most entries on a page.
	Cursor  string // next_cursor of the page before.
}

// ListSecondaries asks for GET /v1/status/secondaries: how zones from primaries are.
func (api API) ListSecondaries(ctx context.Context, p ListSecondariesParams) (*resource.SecondaryList, error) {
	i := &invocation{method: "GET", path: "/v1/status/secondaries", query: url.Values{}, header: http.Header{}}
	i.setBool("query", "failing", p.Failing)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.SecondaryList](ctx, api, i)
}

// ListServiceGroupObjects asks for GET /v1/service-groups: the service groups of the document.
func (api API) ListServiceGroupObjects(ctx context.Context, p ListObjectsParams) (*resource.ObjectList, error) {
	i := &invocation{method: "GET", path: "/v1/service-groups", query: url.Values{}, header: http.Header{}}
	i.set("query", "site", p.Site)
	i.setList("query", "label", p.Label)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.ObjectList](ctx, api, i)
}

// ListObjectsParams are what ListServiceObjects takes besides. What is empty is not sent.
type ListObjectsParams struct {
	Site   string   // Only services and service groups of this site.
	Label  []string // Only objects with all of these labels, as team=web,env=prod; a key alone: with any value.
	Limit  int      // Most entries on a page.
	Cursor string   // next_cursor of the page before.
}

// ListServiceObjects asks for GET /v1/services: the services of the document.
func (api API) ListServiceObjects(ctx context.Context, p ListObjectsParams) (*resource.ObjectList, error) {
	i := &invocation{method: "GET", path: "/v1/services", query: url.Values{}, header: http.Header{}}
	i.set("query", "site", p.Site)
	i.setList("query", "label", p.Label)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.ObjectList](ctx, api, i)
}

// ListServicesParams are what ListServices takes besides. What is empty is not sent.
type ListServicesParams struct {
	Site   string   // Only services of this site.
	State  []string // Only services in one of these states.
	Limit  int      // Most entries on a page.
	Cursor string   // next_cursor of the page before.
}

// ListServices asks for GET /v1/status/services: what is believed of services.
func (api API) ListServices(ctx context.Context, p ListServicesParams) (*resource.ServiceList, error) {
	i := &invocation{method: "GET", path: "/v1/status/services", query: url.Values{}, header: http.Header{}}
	i.set("query", "site", p.Site)
	i.setList("query", "state", p.State)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.ServiceList](ctx, api, i)
}

// ListSessionsParams are what ListSessions takes besides. What is empty is not sent.
type ListSessionsParams struct {
	VirtualServer string // Only sessions of this virtual server.
	Client        string // Only sessions of this client, an address.
	Limit         int    // Most entries on a page.
	Cursor        string // next_cursor of the page before.
}

// ListSessions asks for GET /v1/sessions: clients that stay where they were sent.
func (api API) ListSessions(ctx context.Context, p ListSessionsParams) (*resource.SessionList, error) {
	i := &invocation{method: "GET", path: "/v1/sessions", query: url.Values{}, header: http.Header{}}
	i.set("query", "virtual_server", p.VirtualServer)
	i.set("query", "client", p.Client)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.SessionList](ctx, api, i)
}

// ListSiteObjects asks for GET /v1/sites: the sites of the document.
func (api API) ListSiteObjects(ctx context.Context, p ListObjectsParams) (*resource.ObjectList, error) {
	i := &invocation{method: "GET", path: "/v1/sites", query: url.Values{}, header: http.Header{}}
	i.set("query", "site", p.Site)
	i.setList("query", "label", p.Label)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.ObjectList](ctx, api, i)
}

// ListSites asks for GET /v1/status/sites: sites and the exchange with them.
func (api API) ListSites(ctx context.Context) (*resource.SiteList, error) {
	i := &invocation{method: "GET", path: "/v1/status/sites", query: url.Values{}, header: http.Header{}}
	return invoke[resource.SiteList](ctx, api, i)
}

// ListTokens asks for GET /v1/tokens: tokens of this node.
func (api API) ListTokens(ctx context.Context) (*resource.TokenList, error) {
	i := &invocation{method: "GET", path: "/v1/tokens", query: url.Values{}, header: http.Header{}}
	return invoke[resource.TokenList](ctx, api, i)
}

// ListViewObjects asks for GET /v1/views: the views of the document.
func (api API) ListViewObjects(ctx context.Context, p ListObjectsParams) (*resource.ObjectList, error) {
	i := &invocation{method: "GET", path: "/v1/views", query: url.Values{}, header: http.Header{}}
	i.set("query", "site", p.Site)
	i.setList("query", "label", p.Label)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.ObjectList](ctx, api, i)
}

// ListVirtualServerObjects asks for GET /v1/virtual-servers: the virtual servers of the document.
func (api API) ListVirtualServerObjects(ctx context.Context, p ListObjectsParams) (*resource.ObjectList, error) {
	i := &invocation{method: "GET", path: "/v1/virtual-servers", query: url.Values{}, header: http.Header{}}
	i.set("query", "site", p.Site)
	i.setList("query", "label", p.Label)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.ObjectList](ctx, api, i)
}

// ListZoneObjects asks for GET /v1/zones: the zones of the document.
func (api API) ListZoneObjects(ctx context.Context, p ListObjectsParams) (*resource.ObjectList, error) {
	i := &invocation{method: "GET", path: "/v1/zones", query: url.Values{}, header: http.Header{}}
	i.set("query", "site", p.Site)
	i.setList("query", "label", p.Label)
	i.setInt("query", "limit", p.Limit)
	i.set("query", "cursor", p.Cursor)
	return invoke[resource.ObjectList](ctx, api, i)
}

// ListenEventsParams are what ListenEvents takes besides. What is empty is not sent.
type ListenEventsParams struct {
	Type        []string // Only events of these types.
	LastEventID string   // Go on after this event, whose id the stream told. Absent: with the next one.
}

// ListenEvents asks for GET /v1/events: what happens, as it happens.
// What it returns is to be closed.
func (api API) ListenEvents(ctx context.Context, p ListenEventsParams) (io.ReadCloser, error) {
	i := &invocation{method: "GET", path: "/v1/events", query: url.Values{}, header: http.Header{}}
	i.setList("query", "type", p.Type)
	i.set("header", "Last-Event-ID", p.LastEventID)
	return api.stream(ctx, i)
}

// Livez asks for GET /livez: whether the process runs.
func (api API) Livez(ctx context.Context) (*Text, error) {
	i := &invocation{method: "GET", path: "/livez", query: url.Values{}, header: http.Header{}}
	return api.text(ctx, i)
}

// LocateParams are what Locate takes besides. What is empty is not sent.
type LocateParams struct {
	Address string // IP address.
}

// Locate asks for GET /v1/locate: where an address is, and how close the sites are.
func (api API) Locate(ctx context.Context, p LocateParams) (*resource.Located, error) {
	i := &invocation{method: "GET", path: "/v1/locate", query: url.Values{}, header: http.Header{}}
	i.set("query", "address", p.Address)
	return invoke[resource.Located](ctx, api, i)
}

// Metrics asks for GET /metrics: metrics in Prometheus' text format.
func (api API) Metrics(ctx context.Context) (*Text, error) {
	i := &invocation{method: "GET", path: "/metrics", query: url.Values{}, header: http.Header{}}
	return api.text(ctx, i)
}

// OpenapiJSON asks for GET /openapi.json: this document.
func (api API) OpenapiJSON(ctx context.Context) (*Text, error) {
	i := &invocation{method: "GET", path: "/openapi.json", query: url.Values{}, header: http.Header{}}
	return api.text(ctx, i)
}

// PatchLocation asks for PATCH /v1/locations/{name}: change some keys of one location (RFC 7396).
func (api API) PatchLocation(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PATCH", path: "/v1/locations/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PatchMonitor asks for PATCH /v1/monitors/{name}: change some keys of one monitor (RFC 7396).
func (api API) PatchMonitor(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PATCH", path: "/v1/monitors/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PatchService asks for PATCH /v1/services/{name}: change some keys of one service (RFC 7396).
func (api API) PatchService(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PATCH", path: "/v1/services/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PatchServiceGroup asks for PATCH /v1/service-groups/{name}: change some keys of one service group (RFC 7396).
func (api API) PatchServiceGroup(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PATCH", path: "/v1/service-groups/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PatchSettings asks for PATCH /v1/settings: change some of the settings of the document (RFC 7396).
func (api API) PatchSettings(ctx context.Context, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PATCH", path: "/v1/settings", query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PatchSite asks for PATCH /v1/sites/{name}: change some keys of one site (RFC 7396).
func (api API) PatchSite(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PATCH", path: "/v1/sites/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PatchView asks for PATCH /v1/views/{name}: change some keys of one view (RFC 7396).
func (api API) PatchView(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PATCH", path: "/v1/views/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PatchVirtualServer asks for PATCH /v1/virtual-servers/{name}: change some keys of one virtual server (RFC 7396).
func (api API) PatchVirtualServer(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PATCH", path: "/v1/virtual-servers/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PatchZone asks for PATCH /v1/zones/{name}: change some keys of one zone (RFC 7396).
func (api API) PatchZone(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PATCH", path: "/v1/zones/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PushLoad asks for PUT /v1/services/{name}/load: report how busy a service is.
func (api API) PushLoad(ctx context.Context, name string, body resource.LoadReport) error {
	i := &invocation{method: "PUT", path: "/v1/services/" + url.PathEscape(name) + "/load", query: url.Values{}, header: http.Header{}, value: body}
	return api.nothing(ctx, i)
}

// PushMeasurement asks for PUT /v1/measurements/{address}/{length}: say how good services are for the clients of a prefix.
func (api API) PushMeasurement(ctx context.Context, address string, length string, body resource.MeasurementReport) (*resource.Measurement, error) {
	i := &invocation{method: "PUT", path: "/v1/measurements/" + url.PathEscape(address) + "/" + url.PathEscape(length), query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Measurement](ctx, api, i)
}

// PutConfigParams are what PutConfig takes besides. What is empty is not sent.
type PutConfigParams struct {
	DryRun         bool   // Say what would happen, and change nothing.
	Force          bool   // Also when names lose their answers.
	Confirm        string // Undo it after so long, as 5m, unless it is confirmed; from 5s to 24h. Absent: it stays.
	Reason         string // Why, for those who will wonder. The header Fairlead-Reason says the same.
	FairleadReason string // Why, for those who will wonder.
	FairleadSource string // By what the author wrote.
	FairleadAuthor string // Who writes, as user@host: counts where the node knows no more than that it is somebody on its own machine.
	IdempotencyKey string // A text of the client's own, which makes repeating the request harmless: for 24 hours a second one with the same key is told the outcome of the first.
	IfMatch        string // Revision, in quotes, that the document must have still: 412 when it has another one.
}

// PutConfig asks for PUT /v1/config: replace the whole document.
func (api API) PutConfig(ctx context.Context, body Text, p PutConfigParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PUT", path: "/v1/config", query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PutFile asks for PUT /v1/files/{path}: create or replace one zone file.
func (api API) PutFile(ctx context.Context, path string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PUT", path: "/v1/files/" + url.PathEscape(path), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PutLocation asks for PUT /v1/locations/{name}: create or replace one location.
func (api API) PutLocation(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PUT", path: "/v1/locations/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PutMonitor asks for PUT /v1/monitors/{name}: create or replace one monitor.
func (api API) PutMonitor(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PUT", path: "/v1/monitors/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PutRTT asks for PUT /v1/ldns/{address}: report a round-trip time.
func (api API) PutRTT(ctx context.Context, address string, body resource.RTTReport) error {
	i := &invocation{method: "PUT", path: "/v1/ldns/" + url.PathEscape(address), query: url.Values{}, header: http.Header{}, value: body}
	return api.nothing(ctx, i)
}

// WriteParams are what PutService takes besides. What is empty is not sent.
type WriteParams struct {
	DryRun         bool   // Say what would happen, and change nothing.
	Force          bool   // Also when names lose their answers.
	Confirm        string // Undo it after so long, as 5m, unless it is confirmed; from 5s to 24h. Absent: it stays.
	Reason         string // Why, for those who will wonder. The header Fairlead-Reason says the same.
	FairleadReason string // Why, for those who will wonder.
	FairleadSource string // By what the author wrote.
	FairleadAuthor string // Who writes, as user@host: counts where the node knows no more than that it is somebody on its own machine.
	IdempotencyKey string // A text of the client's own, which makes repeating the request harmless: for 24 hours a second one with the same key is told the outcome of the first.
	IfMatch        string // ETag that the object must have still; * for any: 412 when it has another one.
	IfNoneMatch    string // * when the object must not exist yet.
}

// PutService asks for PUT /v1/services/{name}: create or replace one service.
func (api API) PutService(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PUT", path: "/v1/services/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PutServiceGroup asks for PUT /v1/service-groups/{name}: create or replace one service group.
func (api API) PutServiceGroup(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PUT", path: "/v1/service-groups/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PutSettings asks for PUT /v1/settings: write the settings of the document.
func (api API) PutSettings(ctx context.Context, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PUT", path: "/v1/settings", query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PutSite asks for PUT /v1/sites/{name}: create or replace one site.
func (api API) PutSite(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PUT", path: "/v1/sites/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PutView asks for PUT /v1/views/{name}: create or replace one view.
func (api API) PutView(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PUT", path: "/v1/views/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PutViewOrder asks for PUT /v1/view-order: write the order in which views are tried.
func (api API) PutViewOrder(ctx context.Context, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PUT", path: "/v1/view-order", query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PutVirtualServer asks for PUT /v1/virtual-servers/{name}: create or replace one virtual server.
func (api API) PutVirtualServer(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PUT", path: "/v1/virtual-servers/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// PutZone asks for PUT /v1/zones/{name}: create or replace one zone.
func (api API) PutZone(ctx context.Context, name string, body Text, p WriteParams) (*resource.WriteResult, error) {
	i := &invocation{method: "PUT", path: "/v1/zones/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}, text: &body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.set("header", "If-Match", p.IfMatch)
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return invoke[resource.WriteResult](ctx, api, i)
}

// ReadBackupParams are what ReadBackup takes besides. What is empty is not sent.
type ReadBackupParams struct {
	FairleadPassphrase string // Encrypts the backup, which then has keys and secret files, too. Absent: it has none of these.
}

// ReadBackup asks for GET /v1/backup: all that the node knows, in one file.
// What it returns is to be closed.
func (api API) ReadBackup(ctx context.Context, p ReadBackupParams) (io.ReadCloser, error) {
	i := &invocation{method: "GET", path: "/v1/backup", query: url.Values{}, header: http.Header{}}
	i.set("header", "Fairlead-Passphrase", p.FairleadPassphrase)
	return api.stream(ctx, i)
}

// ReadConfig asks for GET /v1/config: the whole document.
func (api API) ReadConfig(ctx context.Context, p ReadParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/v1/config", query: url.Values{}, header: http.Header{}}
	i.set("header", "If-None-Match", p.IfNoneMatch)
	i.setBool("query", "secrets", p.Secrets)
	return api.text(ctx, i)
}

// ReadFileParams are what ReadFile takes besides. What is empty is not sent.
type ReadFileParams struct {
	IfNoneMatch string // ETag that the client has: 304 when the file is still the same.
}

// ReadFile asks for GET /v1/files/{path}: one zone file.
// What it returns is to be closed.
func (api API) ReadFile(ctx context.Context, path string, p ReadFileParams) (io.ReadCloser, error) {
	i := &invocation{method: "GET", path: "/v1/files/" + url.PathEscape(path), query: url.Values{}, header: http.Header{}}
	i.set("header", "If-None-Match", p.IfNoneMatch)
	return api.stream(ctx, i)
}

// ReadLocation asks for GET /v1/locations/{name}: one location of the document.
func (api API) ReadLocation(ctx context.Context, name string, p ReadParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/v1/locations/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.set("header", "If-None-Match", p.IfNoneMatch)
	i.setBool("query", "secrets", p.Secrets)
	return api.text(ctx, i)
}

// ReadMonitor asks for GET /v1/monitors/{name}: one monitor of the document.
func (api API) ReadMonitor(ctx context.Context, name string, p ReadParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/v1/monitors/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.set("header", "If-None-Match", p.IfNoneMatch)
	i.setBool("query", "secrets", p.Secrets)
	return api.text(ctx, i)
}

// ReadRevisionConfigParams are what ReadRevisionConfig takes besides. What is empty is not sent.
type ReadRevisionConfigParams struct {
	Secrets bool // With what is else shown as ***. For administrators; it is in the audit log.
}

// ReadRevisionConfig asks for GET /v1/revisions/{id}/config: the whole document as it was after a revision.
func (api API) ReadRevisionConfig(ctx context.Context, id string, p ReadRevisionConfigParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/v1/revisions/" + url.PathEscape(id) + "/config", query: url.Values{}, header: http.Header{}}
	i.setBool("query", "secrets", p.Secrets)
	return api.text(ctx, i)
}

// ReadParams are what ReadService takes besides. What is empty is not sent.
type ReadParams struct {
	IfNoneMatch string // ETag that the client has: 304 when the object is still the same.
	Secrets     bool   // With what is else shown as ***. For administrators; it is in the audit log.
}

// ReadService asks for GET /v1/services/{name}: one service of the document.
func (api API) ReadService(ctx context.Context, name string, p ReadParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/v1/services/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.set("header", "If-None-Match", p.IfNoneMatch)
	i.setBool("query", "secrets", p.Secrets)
	return api.text(ctx, i)
}

// ReadServiceGroup asks for GET /v1/service-groups/{name}: one service group of the document.
func (api API) ReadServiceGroup(ctx context.Context, name string, p ReadParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/v1/service-groups/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.set("header", "If-None-Match", p.IfNoneMatch)
	i.setBool("query", "secrets", p.Secrets)
	return api.text(ctx, i)
}

// ReadSettings asks for GET /v1/settings: the settings of the document.
func (api API) ReadSettings(ctx context.Context, p ReadParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/v1/settings", query: url.Values{}, header: http.Header{}}
	i.set("header", "If-None-Match", p.IfNoneMatch)
	i.setBool("query", "secrets", p.Secrets)
	return api.text(ctx, i)
}

// ReadSite asks for GET /v1/sites/{name}: one site of the document.
func (api API) ReadSite(ctx context.Context, name string, p ReadParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/v1/sites/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.set("header", "If-None-Match", p.IfNoneMatch)
	i.setBool("query", "secrets", p.Secrets)
	return api.text(ctx, i)
}

// ReadView asks for GET /v1/views/{name}: one view of the document.
func (api API) ReadView(ctx context.Context, name string, p ReadParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/v1/views/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.set("header", "If-None-Match", p.IfNoneMatch)
	i.setBool("query", "secrets", p.Secrets)
	return api.text(ctx, i)
}

// ReadViewOrder asks for GET /v1/view-order: the order in which views are tried.
func (api API) ReadViewOrder(ctx context.Context, p ReadParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/v1/view-order", query: url.Values{}, header: http.Header{}}
	i.set("header", "If-None-Match", p.IfNoneMatch)
	i.setBool("query", "secrets", p.Secrets)
	return api.text(ctx, i)
}

// ReadVirtualServer asks for GET /v1/virtual-servers/{name}: one virtual server of the document.
func (api API) ReadVirtualServer(ctx context.Context, name string, p ReadParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/v1/virtual-servers/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.set("header", "If-None-Match", p.IfNoneMatch)
	i.setBool("query", "secrets", p.Secrets)
	return api.text(ctx, i)
}

// ReadZone asks for GET /v1/zones/{name}: one zone of the document.
func (api API) ReadZone(ctx context.Context, name string, p ReadParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/v1/zones/" + url.PathEscape(name), query: url.Values{}, header: http.Header{}}
	i.set("header", "If-None-Match", p.IfNoneMatch)
	i.setBool("query", "secrets", p.Secrets)
	return api.text(ctx, i)
}

// ReadyzParams are what Readyz takes besides. What is empty is not sent.
type ReadyzParams struct {
	Verbose string // List the checks.
}

// Readyz asks for GET /readyz: whether queries may be sent here.
func (api API) Readyz(ctx context.Context, p ReadyzParams) (*Text, error) {
	i := &invocation{method: "GET", path: "/readyz", query: url.Values{}, header: http.Header{}}
	i.set("query", "verbose", p.Verbose)
	return api.text(ctx, i)
}

// ReleaseVirtualServer asks for POST /v1/virtual-servers/{name}/release: return a virtual server that is held on its backup.
func (api API) ReleaseVirtualServer(ctx context.Context, name string, body resource.Withdrawal) (*resource.Override, error) {
	i := &invocation{method: "POST", path: "/v1/virtual-servers/" + url.PathEscape(name) + "/release", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.Override](ctx, api, i)
}

// ResolveConflictParams are what ResolveConflict takes besides. What is empty is not sent.
type ResolveConflictParams struct {
	DryRun         bool   // Say what would happen, and change nothing.
	Force          bool   // Also when names lose their answers.
	Confirm        string // Undo it after so long, as 5m, unless it is confirmed; from 5s to 24h. Absent: it stays.
	Reason         string // Why, for those who will wonder. The header Fairlead-Reason says the same.
	FairleadReason string // Why, for those who will wonder.
	FairleadSource string // By what the author wrote.
	FairleadAuthor string // Who writes, as user@host: counts where the node knows no more than that it is somebody on its own machine.
	IdempotencyKey string // A text of the client's own, which makes repeating the request harmless: for 24 hours a second one with the same key is told the outcome of the first.
}

// ResolveConflict asks for POST /v1/sync/conflicts/{kind}/{name}/resolve: decide which side of a conflict counts.
func (api API) ResolveConflict(ctx context.Context, kind string, name string, body resource.Resolution, p ResolveConflictParams) (*resource.WriteResult, error) {
	i := &invocation{method: "POST", path: "/v1/sync/conflicts/" + url.PathEscape(kind) + "/" + url.PathEscape(name) + "/resolve", query: url.Values{}, header: http.Header{}, value: body}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	return invoke[resource.WriteResult](ctx, api, i)
}

// RestoreBackupParams are what RestoreBackup takes besides. What is empty is not sent.
type RestoreBackupParams struct {
	FairleadPassphrase string // That the backup was encrypted with.
}

// RestoreBackup asks for POST /v1/restore: take a backup in.
func (api API) RestoreBackup(ctx context.Context, body Text, p RestoreBackupParams) (*resource.Restored, error) {
	i := &invocation{method: "POST", path: "/v1/restore", query: url.Values{}, header: http.Header{}, text: &body}
	i.set("header", "Fairlead-Passphrase", p.FairleadPassphrase)
	return invoke[resource.Restored](ctx, api, i)
}

// RevokeToken asks for DELETE /v1/tokens/{id}: revoke a token.
func (api API) RevokeToken(ctx context.Context, id string) (*resource.Token, error) {
	i := &invocation{method: "DELETE", path: "/v1/tokens/" + url.PathEscape(id), query: url.Values{}, header: http.Header{}}
	return invoke[resource.Token](ctx, api, i)
}

// RollbackRevisionParams are what RollbackRevision takes besides. What is empty is not sent.
type RollbackRevisionParams struct {
	DryRun         bool     // Say what would happen, and change nothing.
	Force          bool     // Also when names lose their answers.
	Confirm        string   // Undo it after so long, as 5m, unless it is confirmed; from 5s to 24h. Absent: it stays.
	Reason         string   // Why, for those who will wonder. The header Fairlead-Reason says the same.
	FairleadReason string   // Why, for those who will wonder.
	FairleadSource string   // By what the author wrote.
	FairleadAuthor string   // Who writes, as user@host: counts where the node knows no more than that it is somebody on its own machine.
	IdempotencyKey string   // A text of the client's own, which makes repeating the request harmless: for 24 hours a second one with the same key is told the outcome of the first.
	Object         []string // Only these objects, such as service/web-ams. Absent: the whole document.
}

// RollbackRevision asks for POST /v1/revisions/{id}/rollback: go back to the document of a revision, or to some of its objects.
func (api API) RollbackRevision(ctx context.Context, id string, p RollbackRevisionParams) (*resource.WriteResult, error) {
	i := &invocation{method: "POST", path: "/v1/revisions/" + url.PathEscape(id) + "/rollback", query: url.Values{}, header: http.Header{}}
	i.setBool("query", "dry_run", p.DryRun)
	i.setBool("query", "force", p.Force)
	i.set("query", "confirm", p.Confirm)
	i.set("query", "reason", p.Reason)
	i.set("header", "Fairlead-Reason", p.FairleadReason)
	i.set("header", "Fairlead-Source", p.FairleadSource)
	i.set("header", "Fairlead-Author", p.FairleadAuthor)
	i.set("header", "Idempotency-Key", p.IdempotencyKey)
	i.setList("query", "object", p.Object)
	return invoke[resource.WriteResult](ctx, api, i)
}

// TakeWantedParams are what TakeWanted takes besides. What is empty is not sent.
type TakeWantedParams struct {
	Limit int // Most resolvers.
}

// TakeWanted asks for POST /v1/ldns/wanted: take resolvers that wait to be measured.
func (api API) TakeWanted(ctx context.Context, p TakeWantedParams) (*resource.WantedResolvers, error) {
	i := &invocation{method: "POST", path: "/v1/ldns/wanted", query: url.Values{}, header: http.Header{}}
	i.setInt("query", "limit", p.Limit)
	return invoke[resource.WantedResolvers](ctx, api, i)
}

// TestLoad asks for POST /v1/services/{name}/load/test: read a load source once, and tell what it says.
func (api API) TestLoad(ctx context.Context, name string) (*resource.LoadTest, error) {
	i := &invocation{method: "POST", path: "/v1/services/" + url.PathEscape(name) + "/load/test", query: url.Values{}, header: http.Header{}}
	return invoke[resource.LoadTest](ctx, api, i)
}

// TestMonitor asks for POST /v1/monitors/{name}/test: run a monitor once, and tell what was seen on the way.
func (api API) TestMonitor(ctx context.Context, name string, body resource.MonitorQuestion) (*resource.MonitorTest, error) {
	i := &invocation{method: "POST", path: "/v1/monitors/" + url.PathEscape(name) + "/test", query: url.Values{}, header: http.Header{}, value: body}
	return invoke[resource.MonitorTest](ctx, api, i)
}

// WhatIfParams are what WhatIf takes besides. What is empty is not sent.
type WhatIfParams struct {
	Lose []string // Sites or services that are lost; may be given several times.
	Load string   // Factor on all connections, such as 1.5x; or peak: the most connections of the last 24 hours.
}

// WhatIf asks for GET /v1/whatif: where clients and connections would go if sites or services were lost.
func (api API) WhatIf(ctx context.Context, p WhatIfParams) (*resource.WhatIf, error) {
	i := &invocation{method: "GET", path: "/v1/whatif", query: url.Values{}, header: http.Header{}}
	i.setList("query", "lose", p.Lose)
	i.set("query", "load", p.Load)
	return invoke[resource.WhatIf](ctx, api, i)
}
