// Package metric names the numbers that a load source tells.
package metric

import (
	"errors"
	"fmt"
	"math"
)

// ErrRange: a metric is not from 0 to MaxActive.
var ErrRange = errors.New("metric out of range")

// Metric is one number that a load source tells.
type Metric uint8

// Metrics. The totals only grow; what is handed on is their rate over RateWindow.
const (
	Active       Metric = iota // active connections
	Requests                   // requests per second
	ResponseTime               // mean time to the first byte, in seconds
	Bandwidth                  // bit/s, both directions together
	Packets                    // packets per second, both directions together
	CustomLoad                 // in the source's own unit
	Members                    // usable servers behind the service
	MemberWeight               // the sum of their weights
	Capacity                   // connections that it can carry

	// Totals are in what a source tells, and never in a Load.
	RequestsTotal
	BytesTotal
	PacketsTotal
	// ResponseSecondsTotal is the sum of all response times, in seconds: its growth over that of RequestsTotal is their mean.
	ResponseSecondsTotal
	metricCount
)

// Unit is the metric's unit, as String's name has it: a response time is in seconds. Empty for plain numbers.
func (m Metric) Unit() string {
	switch m {
	case Active, Capacity:
		return "connections"
	case Requests:
		return "1/s"
	case ResponseTime, ResponseSecondsTotal:
		return "s"
	case Bandwidth:
		return "bit/s"
	case Packets:
		return "packets/s"
	case BytesTotal:
		return "bytes"
	case PacketsTotal:
		return "packets"
	}
	return ""
}

// Total reports whether the metric only grows, and its rate counts.
func (m Metric) Total() bool { return m >= RequestsTotal && m < metricCount }

// All lists the metrics.
func All() []Metric {
	out := make([]Metric, metricCount)
	for i := range out {
		out[i] = Metric(i)
	}
	return out
}

// MaxActive is the most active connections that a source is believed to mean, and the limit of every other number.
const MaxActive = 1 << 53

var metricNames = [metricCount]string{"active", "requests_per_second", "response_time", "bits_per_second", "packets_per_second",
	"custom", "members", "member_weight", "capacity", "requests_total", "bytes_total", "packets_total", "response_seconds_total"}

// String returns the metric's name, as the keys of a load source have it.
func (m Metric) String() string {
	if m < metricCount {
		return metricNames[m]
	}
	return fmt.Sprintf("metric %d", uint8(m))
}

// Metrics is a set of numbers, one for each metric that was told. The zero Metrics is empty. Comparable with ==.
type Metrics struct {
	has    uint16
	values [metricCount]float64
}

// Set is a set of metrics.
type Set uint16

// Add puts a metric in.
func (s *Set) Add(m Metric) { *s |= 1 << m }

// Has reports whether a metric is in it.
func (s Set) Has(m Metric) bool { return s&(1<<m) != 0 }

// Set puts a number in, which must be from 0 to MaxActive: check with InRange before.
func (m *Metrics) Set(metric Metric, value float64) {
	m.has |= 1 << metric
	m.values[metric] = value
}

// Get returns a number, and whether it was told.
func (m *Metrics) Get(metric Metric) (float64, bool) {
	return m.values[metric], m.has&(1<<metric) != 0
}

// Empty reports whether nothing was told.
func (m *Metrics) Empty() bool { return m.has == 0 }

// Take removes a number and returns it.
func (m *Metrics) Take(metric Metric) (float64, bool) {
	value, ok := m.Get(metric)
	m.has &^= 1 << metric
	m.values[metric] = 0
	return value, ok
}

// InRange reports whether a number can be a metric: finite, not negative, at most MaxActive.
func InRange(value float64) bool { return value >= 0 && value <= MaxActive && !math.IsNaN(value) }

// Check returns the first metric that is out of range.
func (m *Metrics) Check() error {
	for metric := range metricCount {
		if v, ok := m.Get(metric); ok && !InRange(v) {
			return fmt.Errorf("%w: %s is %v, want 0 to 2^53", ErrRange, metric, v)
		}
	}
	return nil
}
