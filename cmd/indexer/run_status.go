package main

import (
	"context"
	"time"

	"github.com/search-indexer/search-indexer/internal/pipeline"
)

// workerStatus is what /status of a running worker shows.
type workerStatus struct {
	Version    string            `json:"version"`
	Commit     string            `json:"commit"`
	Group      string            `json:"group"`
	Problems   []string          `json:"problems,omitempty"`
	Notes      []string          `json:"notes,omitempty"`
	InFlight   int               `json:"in_flight_events"`
	Stalled    map[string]string `json:"stalled,omitempty"` // reason by entity
	RedisUp    bool              `json:"redis_up"`
	Consumed   map[string]uint64 `json:"consumed"`
	Outcomes   map[string]uint64 `json:"outcomes"`
	Dead       map[string]uint64 `json:"dead_letters,omitempty"`
	Partitions []partitionStatus `json:"partitions"`
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
	s := w.pipeline.Snapshot()
	number, hash := buildVersion()
	ready := w.ready(ctx)
	status := workerStatus{
		Version: number, Commit: hash, Group: w.settings.Kafka.GroupID,
		Problems: ready.Problems, Notes: ready.Notes, InFlight: s.InFlight, Stalled: map[string]string{}, RedisUp: w.memory.Up(),
		Consumed: s.Consumed, Outcomes: map[string]uint64{}, Dead: s.Dead,
		Partitions: partitionStatuses(s, w.consumer.Watermarks),
	}
	for _, stall := range s.Stalled {
		status.Stalled[string(stall.Entity)] = stall.Reason
	}
	for _, c := range s.Outcomes {
		status.Outcomes[string(c.Result)] += c.Count
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
