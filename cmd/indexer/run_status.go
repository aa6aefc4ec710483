package main

import (
	"context"
	"time"

	"github.com/search-indexer/search-indexer/internal/pipeline"
)

// workerStatus is what /status of a running worker shows, and its page.
type workerStatus struct {
	Version  string            `json:"version"`
	Commit   string            `json:"commit"`
	Group    string            `json:"group"`
	Started  time.Time         `json:"started"`
	Uptime   float64           `json:"uptime_seconds"`
	Joined   bool              `json:"joined"` // the group has given it its share
	Ready    bool              `json:"ready"`
	Problems []string          `json:"problems,omitempty"`
	Notes    []string          `json:"notes,omitempty"`
	InFlight int               `json:"in_flight_events"`
	Bytes    int               `json:"in_flight_bytes"`
	Stalled  map[string]string `json:"stalled,omitempty"` // reason by entity
	// OpenSearch tells that it answers, and that its aliases and indices are sound.
	OpenSearch bool `json:"opensearch_ready"`
	RedisUp    bool `json:"redis_up"`
	Dedup      bool `json:"dedup_enabled"`

	Consumed map[string]uint64 `json:"consumed"`
	Outcomes map[string]uint64 `json:"outcomes"`
	Dead     map[string]uint64 `json:"dead_letters,omitempty"`
	Retries  map[string]uint64 `json:"bulk_retries,omitempty"`
	Rates    rateStatus        `json:"rates"`
	Bulk     bulkStatus        `json:"bulk"`

	Lag        lagStatus         `json:"lag"`
	Partitions []partitionStatus `json:"partitions"`
	Upkeep     upkeepStatus      `json:"upkeep"`
	Letters    []letterPlace     `json:"last_dead_letters"`
	Errors     []loggedError     `json:"last_errors"`
}

// lagStatus sums partitions up: all messages, and the oldest.
type lagStatus struct {
	Messages int64   `json:"messages"`
	Seconds  float64 `json:"seconds"`
}

type partitionStatus struct {
	Topic      string  `json:"topic"`
	Partition  int32   `json:"partition"`
	Next       int64   `json:"next_offset"`
	Lag        int64   `json:"lag"`
	LagSeconds float64 `json:"lag_seconds"`
	InFlight   int     `json:"in_flight_events"`
	Paused     string  `json:"paused,omitempty"`
}

// status is what /status shows.
func (w *worker) status(ctx context.Context) any {
	s, ready := w.pipeline.Snapshot(), w.health(ctx)
	number, hash := buildVersion()
	status := workerStatus{
		Version: number, Commit: hash, Group: w.settings.Kafka.GroupID,
		Started: w.started, Uptime: time.Since(w.started).Seconds(), Joined: w.consumer.Joined(), Ready: len(ready.Problems) == 0,
		Problems: ready.Problems, Notes: ready.Notes, InFlight: s.InFlight, Bytes: s.Bytes, Stalled: map[string]string{},
		OpenSearch: ready.opensearch, RedisUp: w.memory.Up(), Dedup: w.settings.Dedup.Enabled,
		Consumed: s.Consumed, Outcomes: map[string]uint64{}, Dead: s.Dead, Retries: s.Retries,
		Partitions: partitionStatuses(s, w.consumer.Watermarks),
		Upkeep:     w.upkeep.status(), Letters: w.dead.all(), Errors: w.errors.all(),
	}
	status.Rates, status.Bulk = w.history.status()
	for _, stall := range s.Stalled {
		status.Stalled[string(stall.Entity)] = stall.Reason
	}
	for _, c := range s.Outcomes {
		status.Outcomes[string(c.Result)] += c.Count
	}
	for _, p := range status.Partitions {
		status.Lag.Messages += p.Lag
		status.Lag.Seconds = max(status.Lag.Seconds, p.LagSeconds)
	}
	return status
}

func partitionStatuses(s pipeline.Snapshot, watermarks pipeline.Watermarks) []partitionStatus {
	list := make([]partitionStatus, len(s.Partitions))
	for i, lag := range s.Lag(watermarks, time.Now()) {
		p := s.Partitions[i]
		list[i] = partitionStatus{
			Topic: p.Partition.Topic, Partition: p.Partition.ID, Next: p.Next,
			Lag: lag.Messages, LagSeconds: lag.Age.Seconds(), InFlight: p.InFlight, Paused: p.Paused,
		}
	}
	return list
}
