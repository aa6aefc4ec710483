package stream

import (
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/internal/record"
)

// fromMessage keeps a message's bytes: the client copied them out of C memory
// for us alone. Null and empty keys, values and header values stay apart.
func fromMessage(m *kafka.Message) record.Record {
	r := record.Record{
		Partition: partitionOf(m.TopicPartition),
		Offset:    int64(m.TopicPartition.Offset),
		Timestamp: -1,
		Key:       m.Key,
		Value:     m.Value,
	}
	if m.TimestampType != kafka.TimestampNotAvailable {
		r.Timestamp = m.Timestamp.UnixMilli()
	}
	if len(m.Headers) > 0 {
		r.Headers = make([]record.Header, len(m.Headers))
		for i, h := range m.Headers {
			r.Headers[i] = record.Header(h)
		}
	}
	return r
}

func toMessage(r *record.Record) *kafka.Message {
	m := &kafka.Message{TopicPartition: topicPartition(r.Partition, 0), Key: r.Key, Value: r.Value}
	if r.Timestamp > 0 {
		m.Timestamp = time.UnixMilli(r.Timestamp)
	}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, kafka.Header(h))
	}
	return m
}

func partitionOf(p kafka.TopicPartition) record.Partition {
	return record.Partition{Topic: *p.Topic, ID: p.Partition}
}

func partitionsOf(all []kafka.TopicPartition) []record.Partition {
	partitions := make([]record.Partition, len(all))
	for i, p := range all {
		partitions[i] = partitionOf(p)
	}
	return partitions
}

func topicPartition(p record.Partition, offset int64) kafka.TopicPartition {
	return kafka.TopicPartition{Topic: &p.Topic, Partition: p.ID, Offset: kafka.Offset(offset)}
}
