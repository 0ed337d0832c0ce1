package node

import (
	"time"

	"fairlead/api/resource"
)

const (
	peakBucket  = 5 * time.Minute
	peakBuckets = int(24 * time.Hour / peakBucket)
)

// peak remembers the largest number of each 5 minutes of the last 24 hours.
type peak struct {
	buckets [peakBuckets]struct {
		at   time.Time // of the largest; zero: none
		most float64
	}
	now  float64
	last time.Time
}

// note takes a number down.
func (p *peak) note(at time.Time, n float64) {
	p.now, p.last = n, at
	b := &p.buckets[at.Unix()/int64(peakBucket/time.Second)%int64(peakBuckets)]
	if at.Sub(b.at) >= peakBucket || n > b.most {
		b.at, b.most = at, n
	}
}

// history returns the largest number, and the present one.
func (p *peak) history() resource.ConnectionHistory {
	out := resource.ConnectionHistory{Now: p.now}
	for i := range p.buckets {
		b := &p.buckets[i]
		if p.last.Sub(b.at) <= peakBucket*time.Duration(peakBuckets) && b.most > out.Connections {
			out.Connections, out.At = b.most, b.at.UTC()
		}
	}
	return out
}
