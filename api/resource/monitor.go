package resource

import (
	"net/netip"
	"time"
)

// MonitorVerdict is what one monitor says of one address of a service, at the node that is asked.
type MonitorVerdict struct {
	Monitor  string     `json:"monitor"`
	Type     string     `json:"type,omitempty" doc:"Kind of probe."`
	Address  netip.Addr `json:"address" doc:"The service's."`
	Port     int        `json:"port,omitempty" doc:"The service's. Absent: it has none."`
	State    string     `json:"state" enum:"UP,DOWN,UNKNOWN" doc:"UNKNOWN until there was a result."`
	Draining bool       `json:"draining" doc:"It is UP, and asks to be sent nobody new."`
	Reason   string     `json:"reason" doc:"What the last probe saw, for people."`
	// SinceAgeSeconds and AgeSeconds are nil before the first result.
	SinceAgeSeconds *float64       `json:"since_age_seconds,omitempty" doc:"How long it has been in that state. Absent: there was no result."`
	AgeSeconds      *float64       `json:"age_seconds,omitempty" doc:"Age of the last result. Absent: there was none."`
	LatencySeconds  float64        `json:"latency_seconds" doc:"Of the last probe: from its start to the first byte of the answer. 0: there was none."`
	Failures        int            `json:"failures" doc:"Probes in a row that failed, up to now."`
	Successes       int            `json:"successes" doc:"Probes in a row that passed, up to now."`
	Values          []MonitorValue `json:"values,omitempty" doc:"Numbers that the target told besides."`
}

// MonitorValue is a number that a target told a probe.
type MonitorValue struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
}

// LoadSourceStatus is how reading a service's load source goes, at the node that is asked.
type LoadSourceStatus struct {
	Source string `json:"source" doc:"Kind of source."`
	// AgeSeconds is nil while no read went well.
	AgeSeconds *float64 `json:"age_seconds,omitempty" doc:"Age of the last read that went well, or of what was pushed last. Absent: there was none."`
	Lacks      string   `json:"lacks,omitempty" doc:"What the last answer lacks of what the document looks for."`
	Failure    string   `json:"failure,omitempty" doc:"Why the last read failed. Absent: it did not."`
}

// MonitorQuestion says what a monitor is tested against.
type MonitorQuestion struct {
	Service string `json:"service,omitempty" maxLength:"127" doc:"Only the addresses of this service, whether the monitor is bound to it or not. Absent: those of all services that bind it."`
	Target  string `json:"target,omitempty" maxLength:"260" doc:"HOST or HOST:PORT to probe instead, by address or by name. What the node file keeps monitors from is not reached."`
}

// MonitorTest is what one run of a monitor gave.
type MonitorTest struct {
	Monitor string       `json:"monitor"`
	Type    string       `json:"type" doc:"Kind of probe."`
	Site    string       `json:"site" doc:"Site whose node ran it. Empty: it was run without one."`
	Passes  bool         `json:"passes" doc:"All runs passed."`
	Runs    []MonitorRun `json:"runs" nullable:"false" doc:"One for each address."`
	LeftOut int          `json:"left_out" doc:"Addresses beyond the limit of 64."`
	At      time.Time    `json:"at" doc:"When they had ended."`
}

// MonitorRun is one run against one address.
type MonitorRun struct {
	Monitor string `json:"monitor,omitempty"`
	Type    string `json:"type,omitempty" doc:"Kind of probe."`
	Part    string `json:"part,omitempty" doc:"What the calculated monitor that it is a part of calls it."`
	Service string `json:"service,omitempty" doc:"Absent: the target is of no service."`
	// Address is the zero address where there is nothing to probe.
	Address        netip.Addr     `json:"address,omitzero" doc:"Where it was probed. Absent: nowhere."`
	Port           int            `json:"port,omitempty" doc:"Absent: the one of the protocol."`
	State          string         `json:"state" enum:"UP,DOWN,UNKNOWN" doc:"UP: it passes. DOWN: it fails. UNKNOWN: it decides nothing."`
	Draining       bool           `json:"draining" doc:"It passes, and asks to be sent nobody new."`
	Reason         string         `json:"reason" doc:"What was seen, for people."`
	LatencySeconds float64        `json:"latency_seconds" doc:"From the start to the first byte of the answer. 0: there was none."`
	TookSeconds    float64        `json:"took_seconds" doc:"From the start to the end."`
	Values         []MonitorValue `json:"values,omitempty" doc:"Numbers that the target told besides."`
	Steps          []TestStep     `json:"steps" nullable:"false" doc:"What was done, in order."`
	Parts          []MonitorRun   `json:"parts,omitempty" doc:"What a calculated monitor is made of."`
	// Held is nil when this node does not probe it.
	Held *MonitorVerdict `json:"held,omitempty" doc:"What this node holds of the address by this monitor, which the test does not change. Absent: it does not probe it."`
}

// TestStep is a part of a run that was done.
type TestStep struct {
	Name      string  `json:"name" doc:"Such as dns, connect, tls, first byte, body."`
	AtSeconds float64 `json:"at_seconds" doc:"When it was done, from the start."`
	Note      string  `json:"note,omitempty" doc:"What it gave, for people."`
}

// LoadTest is what one read of a load source gave.
type LoadTest struct {
	Service     string       `json:"service"`
	Source      string       `json:"source" doc:"Kind of source."`
	Site        string       `json:"site" doc:"Site whose node read it. Empty: it was read without one."`
	OK          bool         `json:"ok" doc:"It was read."`
	TookSeconds float64      `json:"took_seconds"`
	Metrics     []TestMetric `json:"metrics" nullable:"false" doc:"What it told."`
	Steps       []TestStep   `json:"steps" nullable:"false" doc:"What was done, in order."`
	Lacks       string       `json:"lacks,omitempty" doc:"What was looked for first, and is not there. Absent: all is."`
	Failure     string       `json:"failure,omitempty" doc:"Why nothing was read. Absent: it was."`
	At          time.Time    `json:"at"`
}

// TestMetric is a number of a load source.
type TestMetric struct {
	Name  string  `json:"name" doc:"As a key of fields; of a custom metric, custom and its name."`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
	Total bool    `json:"total" doc:"A counter that only grows: two reads make a rate of it."`
}
