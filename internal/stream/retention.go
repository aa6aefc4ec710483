package stream

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Retention says how long a topic keeps its records. Kafka removes whole segments
// of the log, so a record may stay for longer.
type Retention struct {
	Time      time.Duration // after a record's timestamp; below 0: for ever
	Bytes     int64         // of one partition; below 0: any number
	Compacted bool          // of equal keys only the last record stays
}

// String says it in words.
func (r Retention) String() string {
	var bounds []string
	if r.Time >= 0 {
		bounds = append(bounds, "for "+r.Time.String())
	}
	if r.Bytes >= 0 {
		bounds = append(bounds, fmt.Sprintf("up to %d bytes a partition", r.Bytes))
	}
	if r.Compacted {
		bounds = append(bounds, "until a later record has the same key")
	}
	if len(bounds) == 0 {
		return "for ever"
	}
	return strings.Join(bounds, ", ")
}

// Retention returns how long a topic keeps its records.
func (a *Admin) Retention(ctx context.Context, topic string) (Retention, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	all, err := a.retentions(ctx, []string{topic})
	return all[topic], err
}

// retentions is Retention for several topics, all of which must exist.
func (a *Admin) retentions(ctx context.Context, topics []string) (map[string]Retention, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	settings, err := a.settings(ctx, topics)
	if err != nil {
		return nil, err
	}
	all := make(map[string]Retention, len(settings))
	for name, of := range settings {
		if all[name], err = parseRetention(name, of); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func parseRetention(topic string, settings map[string]kafka.ConfigEntryResult) (Retention, error) {
	policy := settings["cleanup.policy"].Value
	r := Retention{Time: -1, Bytes: -1, Compacted: strings.Contains(policy, "compact")}
	if !strings.Contains(policy, "delete") {
		return r, nil
	}
	millis, err := strconv.ParseInt(settings["retention.ms"].Value, 10, 64)
	if err != nil {
		return r, fmt.Errorf("read retention.ms of topic %s: %w", topic, err)
	}
	if r.Bytes, err = strconv.ParseInt(settings["retention.bytes"].Value, 10, 64); err != nil {
		return r, fmt.Errorf("read retention.bytes of topic %s: %w", topic, err)
	}
	if millis >= 0 {
		const most = math.MaxInt64 / int64(time.Millisecond) // 292 years
		r.Time = time.Duration(min(millis, most)) * time.Millisecond
	}
	return r, nil
}
