package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"fairlead/config"
	"fairlead/monitors/metric"
)

// plusPeer is what is read of a server of an upstream in the API of NGINX Plus (ngx_http_api_module, versions 1 to 9). Those of a stream
// have connections, the others requests. Times are means in milliseconds.
type plusPeer struct {
	Backup      bool    `json:"backup"`
	Weight      float64 `json:"weight"`
	State       string  `json:"state"` // up, draining, down, unavail, checking or unhealthy
	Active      float64 `json:"active"`
	MaxConns    float64 `json:"max_conns"`
	Requests    float64 `json:"requests"`
	Connections float64 `json:"connections"`
	HeaderTime  float64 `json:"header_time"`
	FirstByte   float64 `json:"first_byte_time"`
	Sent        float64 `json:"sent"`
	Received    float64 `json:"received"`
}

// plusZone is what is read of a server zone.
type plusZone struct {
	Processing                            *float64
	Requests, Connections, Sent, Received float64
}

// plusPlaces says where in the API the backend of a source is, by the word before its colon.
var plusPlaces = []struct{ word, path string }{
	{"stream-server:", "/stream/server_zones/"}, {"stream:", "/stream/upstreams/"}, {"server:", "/http/server_zones/"}, {"", "/http/upstreams/"},
}

// nginxPlus reads an upstream or a server zone.
func (r *Reader) nginxPlus(ctx context.Context, src *config.LoadSource) (Reading, error) {
	var out Reading
	for _, place := range plusPlaces {
		name, ok := strings.CutPrefix(src.Backend, place.word)
		if !ok {
			continue
		}
		address := strings.TrimSuffix(src.URL, "/") + place.path + url.PathEscape(name)
		err := r.ask(ctx, src, address, maxStatus, func(status int, body io.Reader) (err error) {
			switch status {
			case http.StatusOK:
			case http.StatusNotFound:
				return fmt.Errorf("status 404: the API has no %s%s; does the url end in /api/9, or another version?", strings.TrimPrefix(place.path, "/"), name)
			default:
				return fmt.Errorf("status %d, want 200", status)
			}
			if strings.HasSuffix(place.path, "_zones/") {
				out, err = readPlusZone(body, src)
			} else {
				out, err = readPlusUpstream(body, src)
			}
			return err
		})
		if err != nil {
			return Reading{}, err
		}
		return out, nil
	}
	return Reading{}, errors.New("backend names nothing")
}

func readPlusUpstream(body io.Reader, src *config.LoadSource) (Reading, error) {
	var peers []plusPeer
	document, err := readStatus(body, func(dec *json.Decoder, key string) error {
		if key == "peers" {
			return decodeList(dec, &peers)
		}
		return skipValue(dec)
	})
	if err != nil {
		return Reading{}, err
	}
	if peers == nil {
		return Reading{}, errors.New("answer is not an upstream of the API: it has no peers")
	}
	var out Reading
	var t serverTotals
	active, capacity, limited := 0.0, 0.0, true
	for i := range peers {
		p := &peers[i]
		t.add(p.Requests+p.Connections, p.Sent+p.Received, p.HeaderTime+p.FirstByte, nil)
		t.member(p.Weight, p.Backup, p.State == "up")
		active += p.Active
		if p.State == "up" && !p.Backup {
			capacity += p.MaxConns
			limited = limited && p.MaxConns > 0
		}
	}
	out.tell(metric.Active, active, "active")
	t.tell(&out, true)
	if limited && capacity > 0 {
		out.tell(metric.Capacity, capacity, "max_conns")
	}
	return out.withCustom(document, src)
}

func readPlusZone(body io.Reader, src *config.LoadSource) (Reading, error) {
	var zone plusZone
	document, err := readStatus(body, func(dec *json.Decoder, key string) error {
		switch key {
		case "processing":
			return decodeSmall(dec, &zone.Processing)
		case "requests":
			return decodeSmall(dec, &zone.Requests)
		case "connections":
			return decodeSmall(dec, &zone.Connections)
		case "sent":
			return decodeSmall(dec, &zone.Sent)
		case "received":
			return decodeSmall(dec, &zone.Received)
		}
		return skipValue(dec)
	})
	if err != nil {
		return Reading{}, err
	}
	if zone.Processing == nil {
		return Reading{}, errors.New("answer is not a server zone of the API: it has no processing")
	}
	var out Reading
	out.tell(metric.Active, *zone.Processing, "processing")
	out.tell(metric.RequestsTotal, zone.Requests+zone.Connections, "requests")
	out.tell(metric.BytesTotal, zone.Sent+zone.Received, "sent and received")
	return out.withCustom(document, src)
}
