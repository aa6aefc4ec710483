package pipeline_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// TestCountersBeginBeforeTheirFirstEvent: one that appears with its first event has
// no rate for it.
func TestCountersBeginBeforeTheirFirstEvent(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(pipeline.NewMetrics([]string{"a", "b"}, nil, func() bool { return true }))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, f := range families {
		if f.GetType() == dto.MetricType_COUNTER {
			got[f.GetName()] = len(f.GetMetric())
		}
	}
	for name, want := range map[string]int{
		"indexer_events_consumed_total": 2,
		"indexer_events_total":          2*len(pipeline.Results()) + 2,
		"indexer_dead_letters_total":    11,
		"indexer_bulk_retries_total":    13,
		"indexer_rebalances_total":      1,
	} {
		if got[name] != want {
			t.Errorf("%s has %d series, want %d", name, got[name], want)
		}
	}
}

func TestLag(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMilli() }
	const next = 100
	for name, tt := range map[string]struct {
		partition pipeline.PartitionSnapshot
		high      int64
		unread    time.Duration // how long ago
		messages  int64
		age       time.Duration
	}{
		"all is done":                 {pipeline.PartitionSnapshot{Oldest: -1}, next, time.Hour, 0, 0},
		"in flight":                   {pipeline.PartitionSnapshot{Oldest: ago(time.Minute), InFlight: 3}, next + 5, time.Second, 5, time.Minute},
		"paused, nothing in flight":   {pipeline.PartitionSnapshot{Oldest: -1, Paused: "x"}, next + 5, time.Hour, 5, time.Hour},
		"a publisher's clock is fast": {pipeline.PartitionSnapshot{Oldest: ago(-time.Minute), InFlight: 1}, next + 1, 0, 1, 0},
		"the end is not known yet":    {pipeline.PartitionSnapshot{Oldest: ago(time.Minute), InFlight: 1}, 0, 0, 0, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			tt.partition.Next = next
			s := pipeline.Snapshot{Partitions: []pipeline.PartitionSnapshot{tt.partition}}
			got := s.Lag(func(record.Partition) (stream.Watermarks, bool) {
				return stream.Watermarks{High: tt.high, Unread: now.Add(-tt.unread)}, true
			}, now)
			if got[0].Messages != tt.messages || got[0].Age != tt.age {
				t.Errorf("%d messages, %s; want %d, %s", got[0].Messages, got[0].Age, tt.messages, tt.age)
			}
		})
	}
}
