package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/internal/record"
)

// DeleteRecords removes from each partition all records before the given offset:
// the only way in which Kafka removes records at once. It waits for the brokers
// until ctx ends, or 10 s where ctx has no deadline.
func (a *Admin) DeleteRecords(ctx context.Context, before map[record.Partition]int64) error {
	if len(before) == 0 {
		return nil
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	asked := make([]kafka.TopicPartition, 0, len(before))
	for p, offset := range before {
		asked = append(asked, topicPartition(p, offset))
	}
	results, err := a.client.DeleteRecords(ctx, asked, requestTimeout(ctx))
	if err != nil {
		return fmt.Errorf("delete records: %w", err)
	}
	var failed []error
	for _, result := range results.DeleteRecordsResults {
		if err := result.TopicPartition.Error; err != nil {
			failed = append(failed, fmt.Errorf("delete records of %s: %w", partitionOf(result.TopicPartition), err))
		}
	}
	return errors.Join(failed...)
}

// CreateCompacted makes a topic that keeps the last record of each key, where there
// is none of that name: one partition, with as many replicas as the topic like has.
func (a *Admin) CreateCompacted(ctx context.Context, name, like string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	found, err := scout{admin: a.client}.topics(ctx, []string{like})
	if err != nil {
		return err
	}
	spec := TopicSpec{Name: name, Partitions: 1, ReplicationFactor: max(found[like].replicas, 1), Compact: true}
	_, _, err = a.CreateTopics(ctx, []TopicSpec{spec})
	return err
}
