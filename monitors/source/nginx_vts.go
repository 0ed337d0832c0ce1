package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"fairlead/config"
	"fairlead/monitors/metric"
)

// vtsPage is what is read of the JSON page of NGINX's module for virtual host traffic status (nginx-module-vts).
type vtsPage struct {
	connections struct {
		Active *float64 `json:"active"`
	}
	servers []vtsServer // of the zone that is looked for
	found   bool
	others  []string // some of the other zones
}

// vtsServer is a zone, or a server of an upstream. Counters of milliseconds are there since release 0.1.19; before there are means alone.
type vtsServer struct {
	Requests            float64  `json:"requestCounter"`
	In                  float64  `json:"inBytes"`
	Out                 float64  `json:"outBytes"`
	RequestMsec         float64  `json:"requestMsec"`
	RequestMsecCounter  *float64 `json:"requestMsecCounter"`
	ResponseMsec        float64  `json:"responseMsec"`
	ResponseMsecCounter *float64 `json:"responseMsecCounter"`
	Weight              float64  `json:"weight"`
	Backup              bool     `json:"backup"`
	Down                bool     `json:"down"`
}

// readVTS reads an upstream, or the server zone that backend names as server:ZONE. Connections are those of the whole NGINX: the
// module does not count them by zone.
func readVTS(body io.Reader, src *config.LoadSource) (Reading, error) {
	var page vtsPage
	name, isZone := strings.CutPrefix(src.Backend, "server:")
	section, what := "upstreamZones", "upstream"
	if isZone {
		section, what = "serverZones", "server zone"
	}
	document, err := readStatus(body, func(dec *json.Decoder, key string) error {
		switch key {
		case "connections":
			return decodeSmall(dec, &page.connections)
		case section:
			return eachKey(dec, func(zone string) error { return page.zone(dec, zone, name, isZone) })
		}
		return skipValue(dec)
	})
	if err != nil {
		return Reading{}, err
	}
	if !page.found {
		slices.Sort(page.others)
		return Reading{}, noSuch(what, name, page.others)
	}
	var out Reading
	if page.connections.Active != nil {
		out.tell(metric.Active, max(*page.connections.Active-1, 0), "connections.active") // without the one that is asked on
	}
	var t serverTotals
	for i := range page.servers {
		s := &page.servers[i]
		mean, counter := s.ResponseMsec, s.ResponseMsecCounter
		if isZone {
			mean, counter = s.RequestMsec, s.RequestMsecCounter
		}
		t.add(s.Requests, s.In+s.Out, mean, counter)
		t.member(s.Weight, s.Backup, !s.Down)
	}
	t.tell(&out, !isZone)
	return out.withCustom(document, src)
}

// zone reads a zone if it is the one that is looked for: the servers of an upstream, or a server zone, which counts as one.
func (p *vtsPage) zone(dec *json.Decoder, zone, name string, isZone bool) error {
	if zone != name {
		if len(p.others) <= maxBackendsShown {
			p.others = append(p.others, zone)
		}
		return skipValue(dec)
	}
	p.found = true
	if !isZone {
		return decodeList(dec, &p.servers)
	}
	p.servers = make([]vtsServer, 1)
	return decodeSmall(dec, &p.servers[0])
}

// readStatus reads a status document of a load balancer, an object, whole. take reads the values of its keys.
func readStatus(body io.Reader, take func(dec *json.Decoder, key string) error) ([]byte, error) {
	document, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(document))
	if err = eachKey(dec, func(key string) error { return take(dec, key) }); err == nil {
		err = atEnd(dec)
	}
	if err != nil {
		return nil, notJSON(dec, err)
	}
	return document, nil
}

// withCustom adds the custom metrics whose paths lead into the document.
func (a *Reading) withCustom(document []byte, src *config.LoadSource) (Reading, error) {
	at := customPaths(src)
	if len(at) == 0 {
		return *a, nil
	}
	paths := make([]string, len(at))
	for i, place := range at {
		paths[i] = src.Custom[place].Path
	}
	numbers, err := jsonNumbers(bytes.NewReader(document), paths)
	if err != nil {
		return Reading{}, err
	}
	a.Parts = make([]Part, len(src.Custom))
	for i, n := range numbers {
		if n.err != nil {
			a.missing(n.err)
			continue
		}
		a.Parts[at[i]] = Part{n.value, true}
	}
	return *a, nil
}

// serverTotals adds up what servers behind a service tell.
type serverTotals struct {
	servers, requests, bytes float64
	seconds                  float64 // sum of response times
	uncounted                bool    // some server tells no such sum
	weighted, weighing       float64 // means by the number of requests

	usable, weight   float64
	backups, reserve float64 // usable servers that work only while no other does, and their weights
}

// add takes in counters; mean and counter are in milliseconds, and 0 and nil where a server does not tell them.
func (t *serverTotals) add(requests, bytes, mean float64, counter *float64) {
	t.servers++
	t.requests += requests
	t.bytes += bytes
	if counter != nil {
		t.seconds += *counter / 1000
	} else {
		t.uncounted = true
	}
	if mean > 0 {
		t.weighted += mean * max(requests, 1)
		t.weighing += max(requests, 1)
	}
}

// member takes in whether a server can be used.
func (t *serverTotals) member(weight float64, backup, usable bool) {
	switch {
	case !usable:
	case backup:
		t.backups++
		t.reserve += weight
	default:
		t.usable++
		t.weight += weight
	}
}

// tell hands the totals on. members: they are of servers behind the service.
func (t *serverTotals) tell(out *Reading, members bool) {
	if t.servers == 0 && !members {
		out.missing(errors.New("there are no servers"))
		return
	}
	out.tell(metric.RequestsTotal, t.requests, "requests")
	out.tell(metric.BytesTotal, t.bytes, "bytes")
	switch {
	case t.servers > 0 && !t.uncounted:
		out.tell(metric.ResponseSecondsTotal, t.seconds, "response time")
	case t.weighing > 0:
		out.tell(metric.ResponseTime, t.weighted/t.weighing/1000, "response time")
	}
	if !members {
		return
	}
	if t.usable == 0 {
		t.usable, t.weight = t.backups, t.reserve
	}
	out.tell(metric.Members, t.usable, "servers")
	out.tell(metric.MemberWeight, t.weight, "weights")
}
