package source

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/reason"
	"fairlead/monitors/snmp"
)

// object is a number that an agent tells: the sum of OIDs.
type object struct {
	oids   []string
	metric metric.Metric
	factor float64
}

// snmp reads an agent: the objects of a preset, or those of the fields.
func (r *Reader) snmp(ctx context.Context, src *config.LoadSource) (Reading, error) {
	conn, err := r.dialSNMP(ctx, src)
	if err != nil {
		return Reading{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	session, err := snmp.Open(ctx, conn, config.SectionOf(src.SNMP), func(key string, s config.Secret) (string, error) {
		return r.secret(ctx, "snmp."+key, s)
	})
	if err != nil {
		return Reading{}, err
	}
	a := &agent{session: session, values: make(map[string]snmp.Value)}
	switch src.Preset {
	case config.PresetNetScaler:
		return a.netscaler(src)
	case config.PresetF5:
		return a.f5(src)
	}
	return a.fields(src)
}

func (r *Reader) dialSNMP(ctx context.Context, src *config.LoadSource) (net.Conn, error) {
	u, err := url.Parse(src.URL)
	if err != nil || u.Scheme != "snmp" || u.Hostname() == "" {
		return nil, fmt.Errorf("url %s is not of the form snmp://HOST:PORT", reason.Quote(src.URL))
	}
	port := u.Port()
	if port == "" {
		port = strconv.Itoa(snmp.Port)
	}
	conn, err := r.opts.DialContext(ctx, "udp", net.JoinHostPort(u.Hostname(), port))
	return conn, reason.During(reason.Connect, err)
}

// agent is one read of an agent, and what it has told so far.
type agent struct {
	session *snmp.Session
	values  map[string]snmp.Value
}

// ask has objects told, none of them twice.
func (a *agent) ask(oids ...string) error {
	left := make([]string, 0, len(oids))
	asked := make(map[string]bool)
	for _, oid := range oids {
		if _, known := a.values[oid]; !known && !asked[oid] {
			left, asked[oid] = append(left, oid), true
		}
	}
	for len(left) > 0 {
		n := min(len(left), snmp.MaxObjects)
		values, err := a.session.Get(left[:n])
		if err != nil {
			return reason.During(reason.Answer, err)
		}
		for _, v := range values {
			a.values[v.OID] = v
		}
		left = left[n:]
	}
	return nil
}

// fields reads what the source's fields and custom metrics name.
func (a *agent) fields(src *config.LoadSource) (Reading, error) {
	var objects []object
	for _, f := range fieldsOf(src) {
		objects = append(objects, object{config.ParseOIDSum(f.path), f.metric, f.factor})
	}
	var oids []string
	for _, o := range objects {
		oids = append(oids, o.oids...)
	}
	if err := a.ask(append(oids, customOIDs(src)...)...); err != nil {
		return Reading{}, err
	}
	out := Reading{Parts: make([]Part, len(src.Custom))}
	found := a.tell(&out, objects)
	return out.orNothing(found + a.parts(&out, src))
}

func customOIDs(src *config.LoadSource) []string {
	var out []string
	for _, i := range customPaths(src) {
		out = append(out, config.ParseOIDSum(src.Custom[i].Path)...)
	}
	return out
}

// parts takes in the custom metrics, and returns how many were told.
func (a *agent) parts(out *Reading, src *config.LoadSource) (found int) {
	for _, i := range customPaths(src) {
		n, _, err := a.sum(config.ParseOIDSum(src.Custom[i].Path), false)
		if err != nil {
			out.missing(err)
			continue
		}
		out.part(i, n, src.Custom[i].Path)
		found++
	}
	return found
}

// tell takes in objects, and returns how many were told.
func (a *agent) tell(out *Reading, objects []object) (found int) {
	for _, o := range objects {
		total := o.metric == metric.RequestsTotal || o.metric == metric.BytesTotal || o.metric == metric.PacketsTotal
		n, narrow, err := a.sum(o.oids, total)
		if err != nil {
			out.missing(err)
			continue
		}
		if total && narrow {
			out.Narrow.Add(o.metric)
		}
		out.tell(o.metric, n*o.factor, o.oids[0])
		found++
	}
	return found
}

// sum adds objects up. A total of counters of 64 bits goes on at 0 past MaxActive, as if it began anew: what it is at does not matter.
func (a *agent) sum(oids []string, total bool) (n float64, narrow bool, err error) {
	var whole uint64
	allWhole := true
	for _, oid := range oids {
		v := a.values[oid]
		switch {
		case v.Missing != "":
			return 0, false, fmt.Errorf("%s: %s", oid, v.Missing)
		case !v.Numeric:
			return 0, false, fmt.Errorf("%s is %s, which is no number", oid, reason.Quote(v.Text))
		}
		n += v.Number
		whole += v.Whole
		allWhole = allWhole && (v.Whole != 0 || v.Number == 0)
		narrow = narrow || v.Counter32
	}
	if len(oids) == 0 {
		return 0, false, fmt.Errorf("no object is named")
	}
	if total && allWhole && n > metric.MaxActive {
		n = float64(whole % metric.MaxActive)
	}
	return n, narrow, nil
}
