package monitors

import (
	"fmt"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/source"
)

// customLoad makes a custom load of its parts: the mean of value / threshold by weight, which is below 1 while all parts are
// below their thresholds. While one is not, it is the greatest of them: 1 or more. parts are the values read by path,
// each at the place of its metric.
func customLoad(custom []config.CustomMetric, m *metric.Metrics, parts []source.Part) (float64, error) {
	var sum, weights, greatest float64
	for i := range custom {
		c := &custom[i]
		value, ok := 0.0, false
		if c.Path != "" && i < len(parts) {
			value, ok = parts[i].Value, parts[i].Told
		} else if c.Path == "" {
			value, ok = metricOf(m, c.Metric)
		}
		if !ok {
			return 0, fmt.Errorf("custom metric %q was not told", c.Name)
		}
		ratio := value / c.Threshold
		sum, weights, greatest = sum+c.Weight*ratio, weights+c.Weight, max(greatest, ratio)
	}
	load := sum / weights
	if greatest >= 1 {
		load = greatest
	}
	return min(load, metric.MaxActive), nil
}

// metricOf returns a metric in the unit that its word says.
func metricOf(m *metric.Metrics, word config.LoadMetric) (float64, bool) {
	switch word {
	case config.MetricActive:
		return m.Get(metric.Active)
	case config.MetricRequests:
		return m.Get(metric.Requests)
	case config.MetricResponseTime:
		v, ok := m.Get(metric.ResponseTime)
		return v * 1000, ok
	case config.MetricBandwidth:
		return m.Get(metric.Bandwidth)
	case config.MetricPackets:
		return m.Get(metric.Packets)
	}
	return 0, false
}
