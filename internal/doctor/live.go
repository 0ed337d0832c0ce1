package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/api/client"
	"fairlead/api/resource"
)

const (
	// maxNamed is how many objects a check names.
	maxNamed = 5
	// oldLocations is the age at which location data is warned of.
	oldLocations = 90 * day
)

// live is a node that answers.
type live struct {
	client *client.Client
	api    client.API
	site   string
}

// askNode finds out whether a node runs, and which.
func (p *patient) askNode(ctx context.Context) []Check {
	f := &findings{check: "node"}
	c := p.o.API
	if c == nil {
		f.skip("", "no address of a running node was given (--api)")
		return f.all()
	}
	v, err := c.Version(ctx)
	var refused *client.Problem
	switch {
	case errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden):
		f.add(Failed, c.Address(), refused.Detail, "what runs is not looked at", "give a token of a viewer: --token-file, or --cert and --key")
		return f.all()
	case err != nil && p.o.Expected:
		f.add(Failed, c.Address(), unanswered(err), "what runs is not looked at; if no node runs, nobody is answered", "start it (fairlead serve -f NODE.yaml), or correct --api, --ca")
		return f.all()
	case err != nil:
		f.skip(c.Address(), "%s: what only a running node knows is not looked at", unanswered(err))
		return f.all()
	}
	p.live = &live{client: c, api: c.API(), site: v.Site}
	switch {
	case p.node != nil && p.node.Site != v.Site:
		f.add(Failed, c.Address(), fmt.Sprintf("a node of site %s answers, and the node file is of site %s", v.Site, p.node.Site), "what follows mixes two nodes", "name the API and the node file of the same node")
	case p.o.Version != "" && v.Version != p.o.Version:
		f.add(Warning, c.Address(), fmt.Sprintf("it runs %s, and this command is %s", v.Version, p.o.Version), "after an update, the old one runs until it is restarted", "restart it, or use the command of the same release")
	default:
		f.ok(c.Address(), "a node of site %s answers, release %s", v.Site, v.Version)
	}
	return f.all()
}

// unanswered is why a node does not answer, without its address, which stands before it.
func unanswered(err error) string {
	var silent *client.Unreachable
	if errors.As(err, &silent) {
		return "no node answers: " + errText(silent.Err)
	}
	return errText(err)
}

func (l *live) examinations(o Options) []examination {
	return []examination{{"ready", l.ready}, {"alarms", l.alarms}, {"services", l.services}, {"document-sync", l.sync}, {"agreement", l.agreement},
		{"location-files", func(ctx context.Context, f *findings) { l.locations(ctx, f, o.Now()) }}, {"counters", l.counters}}
}

// unknown reports that a node did not say something.
func (f *findings) unknown(err error) {
	if missing := (*client.NotFound)(nil); errors.As(err, &missing) {
		f.skip("", "the node does not know of it")
		return
	}
	f.add(Warning, "", errText(err), "nothing is known of it", "give a token of a viewer, or a longer --timeout")
}

// ready lists why queries should not be sent to the node.
func (l *live) ready(ctx context.Context, f *findings) {
	ready, list, err := l.client.Ready(ctx)
	if err != nil {
		f.unknown(err)
		return
	}
	if ready {
		f.ok("", "queries may be sent to it")
		return
	}
	for line := range strings.Lines(list) {
		if why, is := strings.CutPrefix(strings.TrimSpace(line), "[-] "); is {
			f.add(Failed, "", why, "load balancers and anycast take it out of service", "look at its log; it is ready again by itself when the reason ends")
		}
	}
	if len(f.list) == 0 {
		f.add(Failed, "", "it says that it is not ready", "load balancers and anycast take it out of service", "look at its log")
	}
}

// alarms tells what the node suspects of itself.
func (l *live) alarms(ctx context.Context, f *findings) {
	sites, err := l.client.Sites(ctx)
	if err != nil {
		f.unknown(err)
		return
	}
	if sites.Alarm != "" {
		f.add(Warning, "", sites.Alarm, "it believes other sites more than its own monitors", "look at this machine's network: its probes failed nearly everywhere at once")
	}
	if sites.Isolated != "" {
		f.add(Warning, "", sites.Isolated, "it keeps what it knew last", "look at this machine's network, and at peers")
	}
	if len(f.list) == 0 {
		f.ok("", "it suspects nothing of itself")
	}
}

// services names those whose state nobody knows, and those that are DOWN.
func (l *live) services(ctx context.Context, f *findings) {
	list, err := l.client.Services(ctx, client.ServiceFilter{States: []string{"UNKNOWN", "DOWN"}})
	if err != nil {
		f.unknown(err)
		return
	}
	for _, state := range []struct{ name, why, do string }{
		{"UNKNOWN", "nobody has said whether they are up", "look at their site (fairlead status sites), and at their monitors (fairlead monitor test)"},
		{"DOWN", "clients are not sent there", "fairlead status service NAME says which monitor saw what"},
	} {
		var names []string
		n := 0
		for i := range list.Services {
			if s := &list.Services[i]; s.State == state.name {
				if n++; len(names) < maxNamed {
					names = append(names, fmt.Sprintf("%s (%s)", s.Name, s.Reason))
				}
			}
		}
		if n == 0 {
			continue
		}
		if n > len(names) {
			names = append(names, "…")
		}
		f.add(Warning, "", fmt.Sprintf("%s %s: %s", countOf(n, "service"), state.name, strings.Join(names, ", ")), state.why, state.do)
	}
	if len(f.list) == 0 {
		f.ok("", "none is UNKNOWN or DOWN")
	}
}

// sync tells how the document stands: at this node, and between it and others.
func (l *live) sync(ctx context.Context, f *findings) {
	s, err := l.api.GetSync(ctx)
	if err != nil {
		f.unknown(err)
		return
	}
	if d, err := l.client.Document(ctx); err == nil && d.LastError != "" {
		f.add(Failed, "", "the last document was refused: "+d.LastError, "the one before it is served", "mend it, and send HUP or apply it again")
	}
	if s.Unavailable != "" {
		f.add(Failed, "", s.Unavailable, "writes are not taken", "see data-dir and etcd")
	}
	if s.Damaged != "" {
		f.add(Warning, "", s.Damaged, "the disk or the memory of this machine may be failing", "look at the kernel's log and the disk")
	}
	if s.Conflicts > 0 {
		f.add(Warning, "", fmt.Sprintf("%s changed at several sites at once", countOf(s.Conflicts, "object")), "of each, only one of the changes counts", "fairlead sync conflicts, then fairlead sync resolve")
	}
	for _, q := range s.Quarantine[:min(len(s.Quarantine), maxNamed)] {
		f.add(Warning, "site/"+q.From, fmt.Sprintf("a revision of it is not taken: %s", q.Why), "sites serve different documents", "fairlead sync status; look at the clock and the release of that site")
	}
	for _, i := range s.Inert[:min(len(s.Inert), maxNamed)] {
		f.add(Warning, i.Pointer, i.Detail, "this part of the document has no effect", "mend the object, at any site")
	}
	for i := range s.Peers {
		f.peerDocument(&s.Peers[i])
	}
	if len(f.list) == 0 {
		f.ok("", "mode %s, revision %s, nothing waits or is in conflict", s.Mode, shortID(s.Revision))
	}
}

// peerDocument reports a connected site whose document is not this node's.
func (f *findings) peerDocument(p *resource.SyncPeer) {
	switch {
	case !p.Connected: // peers says so
	case p.LastError != "":
		f.add(Warning, "site/"+p.Site, p.LastError, "sites serve different documents", "fairlead sync status")
	case !p.Same && (p.Ahead > 0 || p.Behind > 0):
		f.add(Warning, "site/"+p.Site, fmt.Sprintf("it has %d revisions that are not here, and lacks %d", p.Behind, p.Ahead), "sites serve different documents", "wait a moment and ask again; then see fairlead sync status")
	case !p.Same:
		f.add(Warning, "site/"+p.Site, "it has another document", "sites give different answers", "wait a moment and ask again; then see fairlead sync status. Documents that are followed are brought to each site by the operator")
	}
}

func shortID(id string) string { return id[:min(len(id), 12)] }

// agreement names sites that answer differently, and why.
func (l *live) agreement(ctx context.Context, f *findings) {
	sites, err := l.client.Sites(ctx)
	if err != nil {
		f.unknown(err)
		return
	}
	compared := 0
	for i := range sites.Sites {
		s := &sites.Sites[i]
		if s.Agreement == nil || s.Agreement.State == "unknown" {
			continue
		}
		compared++
		if s.Agreement.State != "differs" {
			continue
		}
		var causes []string
		for _, c := range s.Agreement.Causes {
			causes = append(causes, c.Cause)
		}
		f.add(Warning, "site/"+s.Name, "it answers differently since "+date(s.Agreement.Since)+": "+strings.Join(causes, ", "), "clients get another answer there than here", "fairlead status site "+s.Name+" names the objects")
	}
	switch {
	case len(f.list) > 0:
	case compared == 0:
		f.skip("", "no other site is compared with this one")
	default:
		f.ok("", "%s as this one", map[bool]string{true: "another site answers", false: fmt.Sprintf("%d other sites answer", compared)}[compared == 1])
	}
}

// locations checks that location files are read, and not too old.
func (l *live) locations(ctx context.Context, f *findings, now time.Time) {
	list, err := l.api.ListLocationFiles(ctx)
	if err != nil {
		f.unknown(err)
		return
	}
	for _, file := range list.Files {
		const do = "fetch a newer one: docs/locations.md"
		made := file.Built
		if made == nil {
			made = file.Changed
		}
		switch {
		case file.Failure != "" && !file.Used:
			f.add(Failed, file.File, file.Failure, "clients are not located by it", do)
		case file.Failure != "":
			f.add(Warning, file.File, file.Failure, "clients are located by what was read before", do)
		case made != nil && now.Sub(*made) > oldLocations:
			f.add(Warning, file.File, "its data is of "+date(*made), "addresses change their place", do)
		default:
			f.ok(file.File, "%s", countOf(file.Entries, "entry"))
		}
	}
	if len(f.list) == 0 {
		f.skip("", "there are none")
	}
}

// counter is a metric that should not grow.
type counter struct {
	name    string
	level   Level
	why, do string
}

func counters() []counter {
	return []counter{
		{"fairlead_dns_panics_total", Failed, "a bug: these queries were answered with SERVFAIL", "report it, with the lines dns.panic of the log"},
		{"fairlead_dns_udp_kernel_drops_total", Warning, "queries were lost before the node saw them", "see receive-buffer; is the machine busy with something else?"},
		{"fairlead_dns_udp_send_drops_total", Warning, "responses were lost", "look at the network interface: its queue was full"},
		{"fairlead_dns_connections_refused_total", Warning, "clients over TCP, TLS or HTTPS were turned away", "see open-files, and raise dns.tcp.max_connections"},
		{"fairlead_dns_accept_errors_total", Warning, "connections could not be taken", "see open-files"},
		{"fairlead_dns_handshake_errors_total", Warning, "clients of DNS over TLS or HTTPS did not get through; some are only scanners", "see certificates"},
		{"fairlead_sessions_evictions_total", Warning, "clients may have changed their service", "raise settings.sessions.max_entries"},
		{"fairlead_dns_dnstap_messages_total{result=\"dropped\"}", Warning, "the collector does not see everything", "look at the collector: it reads too slowly"},
		{"fairlead_sketch_left_out_queries_total", Warning, "what-if knows less of the traffic", "nothing needs to be done for answers"},
	}
}

// counters reads the node's metrics for what was lost since its start.
func (l *live) counters(ctx context.Context, f *findings) {
	text, err := l.api.Metrics(ctx)
	if err != nil {
		f.unknown(err)
		return
	}
	sums := map[string]float64{}
	wanted := counters()
	lines := bufio.NewScanner(strings.NewReader(string(text.Body)))
	for lines.Scan() {
		name, value, ok := metric(lines.Text())
		if !ok {
			continue
		}
		plain, _, _ := strings.Cut(name, "{")
		if slices.ContainsFunc(wanted, func(c counter) bool { return c.name == name || c.name == plain }) {
			sums[name] += value
			if plain != name {
				sums[plain] += value
			}
		}
	}
	for _, c := range wanted {
		if n := sums[c.name]; n > 0 {
			f.add(c.level, c.name, strconv.FormatFloat(n, 'f', -1, 64)+" since its start", c.why, c.do)
		}
	}
	if len(f.list) == 0 {
		f.ok("", "nothing was dropped or refused since its start")
	}
}

// metric reads a line of metrics.
func metric(line string) (name string, value float64, ok bool) {
	if strings.HasPrefix(line, "#") {
		return "", 0, false
	}
	at := strings.LastIndexByte(line, ' ')
	if at < 0 {
		return "", 0, false
	}
	value, err := strconv.ParseFloat(line[at+1:], 64)
	return line[:at], value, err == nil
}
