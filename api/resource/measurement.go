package resource

import (
	"net/netip"
	"time"
)

// MeasurementReport is what is pushed for the clients of a prefix. It replaces what was pushed before.
type MeasurementReport struct {
	Values []ReportedValue `json:"values" minItems:"1" maxItems:"64" nullable:"false" doc:"A number for each service that was measured."`
	// For is a duration; empty: DefaultMeasurementFor.
	For string `json:"for,omitempty" maxLength:"32" doc:"How long it counts, from 1s to 168h, such as 90s or 2h. Default 5m."`
}

// DefaultMeasurementFor is how long a measurement counts that does not say.
const DefaultMeasurementFor = 5 * time.Minute

// ReportedValue is one measurement.
type ReportedValue struct {
	Service string  `json:"service" minLength:"1" maxLength:"127" doc:"Name in the document."`
	Value   float64 `json:"value" doc:"The less, the better. The unit is the sender's own."`
}

// MeasurementList is a page of pushed measurements.
type MeasurementList struct {
	Measurements []Measurement `json:"measurements" nullable:"false"`
	Prefixes     int           `json:"prefixes" doc:"How many prefixes have measurements."`
	Max          int           `json:"max" doc:"How many may have."`
	NextCursor   string        `json:"next_cursor,omitempty" doc:"Give it as cursor to get the following page. Absent: this is the last."`
	At           time.Time     `json:"at"`
}

// Measurement is what was pushed for the clients of a prefix, best first.
type Measurement struct {
	Prefix netip.Prefix  `json:"prefix"`
	Values []PushedValue `json:"values" nullable:"false"`
}

// PushedValue is one measurement that counts.
type PushedValue struct {
	Service       string  `json:"service" doc:"Empty: the document has it no more."`
	Value         float64 `json:"value"`
	EndsInSeconds float64 `json:"ends_in_seconds"`
}
