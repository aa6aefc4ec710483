package e2e

import (
	"fmt"
	"strconv"
	"strings"
)

// Metrics are the series of one scrape of a worker, by name and labels as they stand there.
type Metrics map[string]float64

// ParseMetrics reads the text that /metrics answers with.
func ParseMetrics(text string) (Metrics, error) {
	m := make(Metrics)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cut := strings.LastIndexByte(line, ' ')
		if cut < 0 {
			return nil, fmt.Errorf("no metric: %q", line)
		}
		value, err := strconv.ParseFloat(line[cut+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("no metric: %q: %w", line, err)
		}
		m[line[:cut]] = value
	}
	return m, nil
}

// Sum adds up the series of a name that have all of labels, as label="value".
func (m Metrics) Sum(name string, labels ...string) float64 {
	total := 0.0
series:
	for series, value := range m {
		family, rest, _ := strings.Cut(series, "{")
		if family != name {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(rest, label) {
				continue series
			}
		}
		total += value
	}
	return total
}

// Unbalanced says how the books are wrong: every record consumed has ended in
// one way, or is in flight. Empty where they balance.
func (m Metrics) Unbalanced() string {
	consumed := m.Sum("indexer_events_consumed_total")
	ended := m.Sum("indexer_events_total")
	flying := m.Sum("indexer_in_flight_events")
	if consumed == ended+flying {
		return ""
	}
	return fmt.Sprintf("consumed %.0f, ended %.0f, in flight %.0f: off by %.0f", consumed, ended, flying, consumed-ended-flying)
}

// Max is the greatest of the series of a name; 0 where there is none above it.
func (m Metrics) Max(name string) (most float64) {
	for series, value := range m {
		if family, _, _ := strings.Cut(series, "{"); family == name {
			most = max(most, value)
		}
	}
	return most
}
