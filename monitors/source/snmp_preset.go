package source

import (
	"fmt"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/reason"
	"fairlead/monitors/snmp"
)

// Columns of NetScaler's table of virtual servers (NS-ROOT-MIB, vserverEntry), whose index is the name.
const (
	netscalerVserver   = "1.3.6.1.4.1.5951.4.1.3.1.1"
	vsvrCurClntConns   = netscalerVserver + ".7"  // Gauge32
	vsvrTotalRequests  = netscalerVserver + ".30" // Counter64, as all totals are
	vsvrTotalReqBytes  = netscalerVserver + ".31"
	vsvrTotalRespBytes = netscalerVserver + ".33"
	vsvrTotalPktsRecvd = netscalerVserver + ".34"
	vsvrTotalPktsSent  = netscalerVserver + ".35"
	vsvrCurServicesUp  = netscalerVserver + ".41" // Gauge32
)

// Columns of BIG-IP's tables (F5-BIGIP-LOCAL-MIB): ltmVirtualServEntry, ltmVirtualServStatEntry and ltmPoolEntry, whose index is the name.
const (
	f5VirtualServ       = "1.3.6.1.4.1.3375.2.2.10.1.2.1"
	f5ConnLimit         = f5VirtualServ + ".10" // Gauge; 0: none
	f5DefaultPool       = f5VirtualServ + ".19"
	f5VirtualServStat   = "1.3.6.1.4.1.3375.2.2.10.2.3.1"
	f5ClientPktsIn      = f5VirtualServStat + ".6" // Counter64, as all totals are
	f5ClientBytesIn     = f5VirtualServStat + ".7"
	f5ClientPktsOut     = f5VirtualServStat + ".8"
	f5ClientBytesOut    = f5VirtualServStat + ".9"
	f5ClientTotConns    = f5VirtualServStat + ".11"
	f5ClientCurConns    = f5VirtualServStat + ".12" // Gauge
	f5TotRequests       = f5VirtualServStat + ".27"
	f5PoolActiveMembers = "1.3.6.1.4.1.3375.2.2.5.1.2.1.8" // INTEGER
	maxPoolName         = 110                              // octets: an OID has 128 numbers
)

// netscaler reads a virtual server of a NetScaler.
func (a *agent) netscaler(src *config.LoadSource) (Reading, error) {
	of := func(columns ...string) []string { return named(src.Backend, columns) }
	return a.preset(src, of(vsvrCurClntConns)[0], []object{
		{of(vsvrCurClntConns), metric.Active, 1},
		{of(vsvrTotalRequests), metric.RequestsTotal, 1},
		{of(vsvrTotalReqBytes, vsvrTotalRespBytes), metric.BytesTotal, 1},
		{of(vsvrTotalPktsRecvd, vsvrTotalPktsSent), metric.PacketsTotal, 1},
		{of(vsvrCurServicesUp), metric.Members, 1},
	})
}

// f5 reads a virtual server of a BIG-IP, and of its default pool how many members are active.
func (a *agent) f5(src *config.LoadSource) (Reading, error) {
	of := func(columns ...string) []string { return named(src.Backend, columns) }
	pool, limit, requests := of(f5DefaultPool)[0], of(f5ConnLimit)[0], of(f5TotRequests)[0]
	if err := a.ask(append(of(f5ClientCurConns, f5ClientTotConns, f5ClientBytesIn, f5ClientBytesOut, f5ClientPktsIn, f5ClientPktsOut),
		append(customOIDs(src), pool, limit, requests)...)...); err != nil {
		return Reading{}, err
	}
	counted := of(f5ClientTotConns)
	if a.values[requests].Whole > 0 { // only virtual servers with an HTTP profile count requests
		counted = []string{requests}
	}
	objects := []object{
		{of(f5ClientCurConns), metric.Active, 1},
		{counted, metric.RequestsTotal, 1},
		{of(f5ClientBytesIn, f5ClientBytesOut), metric.BytesTotal, 1},
		{of(f5ClientPktsIn, f5ClientPktsOut), metric.PacketsTotal, 1},
	}
	if a.values[limit].Number > 0 {
		objects = append(objects, object{[]string{limit}, metric.Capacity, 1})
	}
	if name := a.values[pool]; name.Missing == "" && name.Text != "" && len(name.Text) <= maxPoolName {
		objects = append(objects, object{named(name.Text, []string{f5PoolActiveMembers}), metric.Members, 1})
	}
	return a.preset(src, of(f5ClientCurConns)[0], objects)
}

// preset reads objects of a virtual server. Without the one at key the device has no such virtual server.
func (a *agent) preset(src *config.LoadSource, key string, objects []object) (Reading, error) {
	oids := customOIDs(src)
	for _, o := range objects {
		oids = append(oids, o.oids...)
	}
	if err := a.ask(oids...); err != nil {
		return Reading{}, err
	}
	if missing := a.values[key].Missing; missing != "" {
		return Reading{}, fmt.Errorf("device has no virtual server %s (%s)", reason.Quote(src.Backend), missing)
	}
	out := Reading{Parts: make([]Part, len(src.Custom))}
	found := a.tell(&out, objects)
	return out.orNothing(found + a.parts(&out, src))
}

func named(name string, columns []string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = snmp.Named(c, name)
	}
	return out
}
