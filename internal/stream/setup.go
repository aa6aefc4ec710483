package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// TopicOptions is how the topics of the events are made.
type TopicOptions struct {
	Partitions        int           // of each topic, the dead-letter topic included
	ReplicationFactor int           // at most the number of brokers
	Retention         time.Duration // of the events; below 0 keeps them for ever, as a rebuild needs
}

// TopicReport is what Setup did.
type TopicReport struct {
	Created, Existing []string
	Warnings          []string // what an operator should mend; the worker runs all the same
}

const (
	dlqRetention = 30 * 24 * time.Hour
	// headerRoom is what a dead letter is longer than its record: dlq.error takes up
	// to 4 KiB, the other headers some hundred bytes.
	headerRoom = 16 << 10
)

// Setup makes the topics of the events and the dead-letter topic where they don't
// exist. The dead-letter topic takes the largest record of any of the others.
func (a *Admin) Setup(ctx context.Context, cfg Config, options TopicOptions) (TopicReport, error) {
	var report TopicReport
	topics := cfg.FullTopics()
	specs := make([]TopicSpec, len(topics))
	for i, name := range topics {
		specs[i] = TopicSpec{
			Name: name, Partitions: options.Partitions,
			ReplicationFactor: options.ReplicationFactor, Retention: options.Retention,
		}
	}
	if err := a.create(ctx, specs, &report); err != nil {
		return report, err
	}
	sizes, err := a.awaitSizes(ctx, topics)
	if err != nil {
		return report, err
	}
	needed := headerRoom
	for _, size := range sizes {
		needed = max(needed, size+headerRoom)
	}
	err = a.create(ctx, []TopicSpec{{
		Name: cfg.DLQTopic, Partitions: options.Partitions, ReplicationFactor: options.ReplicationFactor,
		Retention: dlqRetention, MaxMessageBytes: needed,
	}}, &report)
	if err != nil || !slices.Contains(report.Existing, cfg.DLQTopic) {
		return report, err
	}
	err = a.checkRoom(ctx, cfg.DLQTopic, needed, &report)
	return report, err
}

func (a *Admin) create(ctx context.Context, specs []TopicSpec, report *TopicReport) error {
	created, existing, err := a.CreateTopics(ctx, specs)
	report.Created = append(report.Created, created...)
	report.Existing = append(report.Existing, existing...)
	return err
}

// checkRoom warns of a dead-letter topic that can't take every record: a letter
// that is too large for it stops its partition.
func (a *Admin) checkRoom(ctx context.Context, dlq string, needed int, report *TopicReport) error {
	sizes, err := a.awaitSizes(ctx, []string{dlq})
	if err != nil {
		return err
	}
	if sizes[dlq] < needed {
		report.Warnings = append(report.Warnings, fmt.Sprintf(
			"dead-letter topic %s takes records of %d bytes, but a letter may have %d: raise its max.message.bytes to %d",
			dlq, sizes[dlq], needed, needed))
	}
	return nil
}

// awaitSizes returns max.message.bytes of topics that exist. The controller creates
// a topic before every broker knows of it (seen on Kafka 4.1), so one that is
// unknown is asked for again.
func (a *Admin) awaitSizes(ctx context.Context, topics []string) (map[string]int, error) {
	return backoff.Retry(ctx, func() (map[string]int, error) {
		sizes, err := a.MaxMessageBytes(ctx, topics)
		var refusal kafka.Error
		if err != nil && !(errors.As(err, &refusal) && refusal.Code() == kafka.ErrUnknownTopicOrPart) {
			return nil, backoff.Permanent(err)
		}
		return sizes, err
	}, backoff.WithMaxElapsedTime(lookTimeout))
}
