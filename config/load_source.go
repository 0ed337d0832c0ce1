package config

// LoadSource says where the owner site reads how busy a service is. A source that fails ages; it never marks the
// service down.
type LoadSource struct {
	Source   LoadKind       `json:"source" doc:"Kind of source."`
	URL      string         `json:"url,omitempty" doc:"Where to read: http or https; haproxy also unix:///PATH and tcp://HOST:PORT of its stats socket; snmp://HOST:PORT."`
	Path     string         `json:"path,omitempty" doc:"json: dotted path of the active connections in the answer. Absent, without fields and custom: the answer itself is the number."`
	Backend  string         `json:"backend,omitempty" doc:"What of the source counts. haproxy: the proxy whose BACKEND row; nginx-vts, nginx-plus: the upstream, or server:ZONE (nginx-plus also stream:UPSTREAM and stream-server:ZONE); envoy: the cluster; traefik: the service, or entrypoint:NAME; ipvs: the virtual service, as tcp ADDRESS:PORT; snmp with a preset: the virtual server; host: the local ADDRESS:PORT or :PORT that connections go to."`
	Fields   LoadFields     `json:"fields,omitempty" doc:"Where each number is. json: dotted path; prometheus: query; openmetrics: metric{label=\"value\"}; snmp: OID."`
	Custom   []CustomMetric `json:"custom,omitempty" doc:"Metrics that make up the custom load, at most 16: it is their weighted mean, each divided by its threshold, and 1 or more exactly while one of them is at its threshold."`
	Interval Duration       `json:"interval,omitempty" default:"1s" range:"100ms..1h" doc:"Time between reads (100ms to 1h)."`
	Timeout  Duration       `json:"timeout,omitempty" default:"1s" range:"1ms..1h" doc:"Longest one read may take."`

	Login     *ProbeLogin   `json:"login,omitempty" doc:"HTTP: user and password (Basic)."`
	Token     Secret        `json:"token,omitempty" doc:"HTTP: where the bearer token is: file:PATH, env:NAME or credential:NAME."`
	Headers   []ProbeHeader `json:"headers,omitempty" doc:"HTTP: further headers, at most 32."`
	TLS       *TLSProbe     `json:"tls,omitempty" doc:"https: how the certificate is checked, and which one is shown."`
	SNMP      *SNMP         `json:"snmp,omitempty" doc:"snmp: how the agent is asked."`
	Preset    SNMPPreset    `json:"preset,omitempty" doc:"snmp: a device whose OIDs are known, in place of fields."`
	Interface string        `json:"interface,omitempty" doc:"host: network interface whose bytes and packets count. Absent: all but loopback."`
}

// LoadFields are where each number of a source is: a path, a query, a selector or an OID. Totals only grow; their rate over
// 14 s counts. A metric that has both a rate and a total is read from its rate.
type LoadFields struct {
	Active            string `json:"active,omitempty" doc:"Active connections; for json the same as path."`
	RequestsPerSecond string `json:"requests_per_second,omitempty" doc:"Requests per second."`
	RequestsTotal     string `json:"requests_total,omitempty" doc:"Requests so far."`
	ResponseTimeMS    string `json:"response_time_ms,omitempty" doc:"Mean time to the first byte, in milliseconds."`
	BitsPerSecond     string `json:"bits_per_second,omitempty" doc:"Bandwidth, both directions together."`
	BytesTotal        string `json:"bytes_total,omitempty" doc:"Bytes so far, both directions together."`
	PacketsPerSecond  string `json:"packets_per_second,omitempty" doc:"Packets per second."`
	PacketsTotal      string `json:"packets_total,omitempty" doc:"Packets so far."`
	Custom            string `json:"custom,omitempty" doc:"Custom load as the service reckons it itself, in any unit. Not with custom beside fields."`
	Members           string `json:"members,omitempty" doc:"Usable servers behind the service."`
	MemberWeight      string `json:"member_weight,omitempty" doc:"Sum of the weights of the usable servers behind it."`
	Capacity          string `json:"capacity,omitempty" doc:"Connections that it can carry."`

	ResponseTimeSeconds  string `json:"response_time_seconds,omitempty" doc:"Mean time to the first byte, in seconds."`
	ResponseSecondsTotal string `json:"response_seconds_total,omitempty" doc:"Sum of all response times so far, in seconds: with requests_total it gives their mean, as the _sum and _count of a histogram do."`
}

// CustomMetric is one part of a custom load: a number of the source, with its weight and its threshold.
type CustomMetric struct {
	Name      string     `json:"name" doc:"Name, for people."`
	Path      string     `json:"path,omitempty" doc:"Where the number is, as in fields. haproxy: column of the BACKEND row, such as qcur; nginx: reading, writing or waiting; nginx-vts, nginx-plus: dotted path in the answer; envoy: statistic of the cluster; traefik: metric{label=\"value\"}. Either path or metric."`
	Metric    LoadMetric `json:"metric,omitempty" doc:"A metric that the source tells, in place of path."`
	Weight    float64    `json:"weight,omitempty" default:"1" range:"0.001..1000" doc:"Its share in the custom load (0.001 to 1000)."`
	Threshold float64    `json:"threshold,omitempty" default:"1" range:"0.000001..1e15" doc:"Value at which it is full: it counts as value / threshold."`
}
