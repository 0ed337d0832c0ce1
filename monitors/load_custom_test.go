package monitors

import (
	"math"
	"math/rand/v2"
	"testing"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/source"
)

func TestCustomLoad(t *testing.T) {
	custom := []config.CustomMetric{
		{Name: "cpu", Path: "cpu", Weight: 3, Threshold: 80}, {Name: "time", Metric: config.MetricResponseTime, Weight: 1, Threshold: 500},
	}
	tests := []struct {
		name    string
		cpu, ms float64
		want    float64
	}{
		{"idle", 0, 0, 0},
		{"weighted mean", 40, 250, 0.5},
		{"weights", 80 * 0.9, 0, 0.675},
		{"one at its threshold", 80, 0, 1},
		{"one above its threshold", 0, 2000, 4},
		{"both", 120, 501, 1.5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m metric.Metrics
			m.Set(metric.ResponseTime, tt.ms/1000)
			got, err := customLoad(custom, &m, []source.Part{{Value: tt.cpu, Told: true}, {}})
			if err != nil || math.Abs(got-tt.want) > 1e-9 {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
	if _, err := customLoad(custom, &metric.Metrics{}, []source.Part{{Value: 1, Told: true}, {}}); err == nil {
		t.Error("a custom load without one of its parts")
	}
	if _, err := customLoad(custom, &metric.Metrics{}, nil); err == nil {
		t.Error("a custom load without any part")
	}
}

// TestCustomLoadIsFullExactlyAtAThreshold: load_threshold: 1 means "one metric is at its own threshold".
func TestCustomLoadIsFullExactlyAtAThreshold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		custom, parts, full := make([]config.CustomMetric, 1+rng.IntN(4)), make([]source.Part, 4), false
		for i := range custom {
			custom[i] = config.CustomMetric{Path: "x", Weight: 0.001 + rng.Float64()*10, Threshold: 1 + rng.Float64()*100}
			parts[i] = source.Part{Value: custom[i].Threshold * rng.Float64() * 1.1, Told: true}
			if rng.IntN(9) == 0 {
				parts[i].Value = custom[i].Threshold
			}
			full = full || parts[i].Value >= custom[i].Threshold
		}
		if got, err := customLoad(custom, &metric.Metrics{}, parts); err != nil || (got >= 1) != full {
			t.Fatalf("custom load of %+v with %+v: %v, %v; a metric at its threshold: %t", custom, parts, got, err, full)
		}
	}
}
