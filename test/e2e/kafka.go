package e2e

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Place names one record in Kafka.
type Place struct {
	Topic     string // with its prefix
	Partition int32
	Offset    int64
}

// Broker asks a Kafka cluster.
type Broker struct{ Addresses string }

// largest is the most bytes of a record that is published, above the client's default
// of 1 MB; the topic's own bound is what counts.
const largest = 12 << 20

const brokerTimeout = 30 * time.Second

// Publish writes records in their order, to the topics under prefix, and returns
// the place of each.
func (b Broker) Publish(ctx context.Context, prefix string, records []Record) ([]Place, error) {
	producer, err := kafka.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers": b.Addresses, "enable.idempotence": true, "linger.ms": 5, "message.timeout.ms": 180_000,
		"message.max.bytes": largest, "go.delivery.reports": true,
	})
	if err != nil {
		return nil, fmt.Errorf("create producer: %w", err)
	}
	defer producer.Close()
	go func() { // errors that matter come with the delivery reports
		for range producer.Events() { // keeps the channel empty
		}
	}()
	reports := make(chan kafka.Event, len(records))
	for i, r := range records {
		if err := produce(ctx, producer, prefix, r, i, reports); err != nil {
			return nil, err
		}
	}
	places := make([]Place, len(records))
	for range records {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case report := <-reports:
			m, ok := report.(*kafka.Message)
			if !ok {
				return nil, fmt.Errorf("publish: unexpected report %v", report)
			}
			if m.TopicPartition.Error != nil {
				return nil, fmt.Errorf("publish to %s: %w", m.TopicPartition, m.TopicPartition.Error)
			}
			places[m.Opaque.(int)] = Place{*m.TopicPartition.Topic, m.TopicPartition.Partition, int64(m.TopicPartition.Offset)}
		}
	}
	return places, nil
}

func produce(ctx context.Context, producer *kafka.Producer, prefix string, r Record, index int, reports chan kafka.Event) error {
	topic := prefix + r.Topic
	m := &kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: r.Partition},
		Key:            r.Key, Value: r.Value, Opaque: index,
	}
	if r.Timestamp != 0 {
		m.Timestamp = time.UnixMilli(r.Timestamp)
	}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	for {
		err := producer.Produce(m, reports)
		var full kafka.Error
		if !errors.As(err, &full) || full.Code() != kafka.ErrQueueFull {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		producer.Flush(100)
	}
}

// Letter is one dead letter: the record as it was, and what the program says of it.
type Letter struct {
	Place
	Reason     string
	Key, Value []byte
	Headers    []Header          // the original ones, in their order
	Said       map[string]string // the dlq.* headers
}

// Letters reads all that stands in a dead-letter topic.
func (b Broker) Letters(ctx context.Context, topic string) ([]Letter, error) {
	consumer, err := kafka.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers": b.Addresses, "group.id": topic + "-reader", "enable.auto.commit": false, "auto.offset.reset": "earliest",
	})
	if err != nil {
		return nil, fmt.Errorf("create consumer: %w", err)
	}
	defer func() { _ = consumer.Close() }()
	metadata, err := consumer.GetMetadata(&topic, false, int(brokerTimeout.Milliseconds()))
	if err != nil {
		return nil, fmt.Errorf("look at topic %s: %w", topic, err)
	}
	left := 0
	var from []kafka.TopicPartition
	for _, p := range metadata.Topics[topic].Partitions {
		low, high, err := consumer.QueryWatermarkOffsets(topic, p.ID, int(brokerTimeout.Milliseconds()))
		if err != nil {
			return nil, fmt.Errorf("ask for the end of %s: %w", topic, err)
		}
		left += int(high - low) // no transactions write here, so there are no holes
		from = append(from, kafka.TopicPartition{Topic: &topic, Partition: p.ID, Offset: kafka.Offset(low)})
	}
	if err := consumer.Assign(from); err != nil {
		return nil, fmt.Errorf("read topic %s: %w", topic, err)
	}
	letters := make([]Letter, 0, left)
	for len(letters) < left {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read topic %s, %d of %d letters: %w", topic, len(letters), left, err)
		}
		m, err := consumer.ReadMessage(time.Second)
		if err != nil {
			continue // the context bounds how often
		}
		letters = append(letters, letterOf(m))
	}
	return letters, nil
}

// Committed returns the group's committed offsets. An error of a broker that is
// still electing a coordinator is one to try again.
func (b Broker) Committed(ctx context.Context, group string) (map[Place]int64, error) {
	admin, err := b.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	answer, err := admin.ListConsumerGroupOffsets(ctx, []kafka.ConsumerGroupTopicPartitions{{Group: group}})
	if err != nil {
		return nil, fmt.Errorf("list offsets of group %s: %w", group, err)
	}
	committed := make(map[Place]int64)
	for _, g := range answer.ConsumerGroupsTopicPartitions {
		for _, p := range g.Partitions {
			committed[Place{Topic: *p.Topic, Partition: p.Partition}] = int64(p.Offset)
		}
	}
	return committed, nil
}

// Rewind sets each committed offset of an idle group to 0, as an operator does.
func (b Broker) Rewind(ctx context.Context, group string) error {
	committed, err := b.Committed(ctx, group)
	if err != nil {
		return err
	}
	admin, err := b.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	all := kafka.ConsumerGroupTopicPartitions{Group: group}
	for at := range committed {
		all.Partitions = append(all.Partitions, kafka.TopicPartition{Topic: &at.Topic, Partition: at.Partition, Offset: 0})
	}
	answer, err := admin.AlterConsumerGroupOffsets(ctx, []kafka.ConsumerGroupTopicPartitions{all})
	if err != nil {
		return fmt.Errorf("rewind group %s: %w", group, err)
	}
	for _, g := range answer.ConsumerGroupsTopicPartitions {
		for _, p := range g.Partitions {
			if p.Error != nil {
				return fmt.Errorf("rewind group %s: %s: %w", group, p, p.Error)
			}
		}
	}
	return nil
}

// Create makes topics, each with that many partitions.
func (b Broker) Create(ctx context.Context, partitions int, topics ...string) error {
	admin, err := b.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	var specs []kafka.TopicSpecification
	for _, topic := range topics {
		specs = append(specs, kafka.TopicSpecification{
			Topic: topic, NumPartitions: partitions, ReplicationFactor: 1, Config: map[string]string{"retention.ms": "-1"},
		})
	}
	return firstError(admin.CreateTopics(ctx, specs, kafka.SetAdminOperationTimeout(brokerTimeout)))
}

// Grow raises the number of partitions of a topic.
func (b Broker) Grow(ctx context.Context, topic string, partitions int) error {
	admin, err := b.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	results, err := admin.CreatePartitions(ctx, []kafka.PartitionsSpecification{{Topic: topic, IncreaseTo: partitions}})
	return firstError(results, err)
}

// Delete removes topics.
func (b Broker) Delete(ctx context.Context, topics ...string) error {
	admin, err := b.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	return firstError(admin.DeleteTopics(ctx, topics, kafka.SetAdminOperationTimeout(brokerTimeout)))
}

// Empty reports whether the logs of the topics are those of newly made ones. The
// controller makes a topic again before the broker has put the old log away, and
// what is published in between is acknowledged and goes with that log (Kafka 4.1).
func (b Broker) Empty(ctx context.Context, partitions int, topics ...string) (bool, error) {
	admin, err := b.admin()
	if err != nil {
		return false, err
	}
	defer admin.Close()
	asked := map[kafka.TopicPartition]kafka.OffsetSpec{}
	for i := range topics {
		for id := range partitions {
			asked[kafka.TopicPartition{Topic: &topics[i], Partition: int32(id)}] = kafka.LatestOffsetSpec
		}
	}
	answer, err := admin.ListOffsets(ctx, asked)
	if err != nil {
		return false, fmt.Errorf("list the ends of topics: %w", err)
	}
	for _, info := range answer.ResultInfos {
		if info.Error.Code() != kafka.ErrNoError || info.Offset != 0 {
			return false, nil
		}
	}
	return len(answer.ResultInfos) == len(asked), nil
}

// Topics returns the number of partitions of each topic.
func (b Broker) Topics() (map[string]int, error) {
	admin, err := b.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	metadata, err := admin.GetMetadata(nil, true, int(brokerTimeout.Milliseconds()))
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	topics := make(map[string]int, len(metadata.Topics))
	for name, topic := range metadata.Topics {
		topics[name] = len(topic.Partitions)
	}
	return topics, nil
}

func (b Broker) admin() (*kafka.AdminClient, error) {
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": b.Addresses})
	if err != nil {
		return nil, fmt.Errorf("create admin client: %w", err)
	}
	return admin, nil
}

func firstError(results []kafka.TopicResult, err error) error {
	for _, r := range results {
		if err == nil && r.Error.Code() != kafka.ErrNoError {
			err = fmt.Errorf("topic %s: %w", r.Topic, r.Error)
		}
	}
	return err
}

// Cut removes the records of a topic below the given ends.
func (b Broker) Cut(ctx context.Context, topic string, ends map[Place]int64) error {
	admin, err := b.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	var before []kafka.TopicPartition
	for at, end := range ends {
		if at.Topic == topic {
			before = append(before, kafka.TopicPartition{Topic: &topic, Partition: at.Partition, Offset: kafka.Offset(end)})
		}
	}
	if _, err := admin.DeleteRecords(ctx, before); err != nil {
		return fmt.Errorf("delete records: %w", err)
	}
	return nil
}

// Configure sets one setting of a topic.
func (b Broker) Configure(ctx context.Context, topic, name, value string) error {
	admin, err := b.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	resource := kafka.ConfigResource{Type: kafka.ResourceTopic, Name: topic}
	change := resource
	change.Config = []kafka.ConfigEntry{{Name: name, Value: value, IncrementalOperation: kafka.AlterConfigOpTypeSet}}
	if _, err := admin.IncrementalAlterConfigs(ctx, []kafka.ConfigResource{change}); err != nil {
		return fmt.Errorf("configure topic: %w", err)
	}
	for { // the controller has it, and a broker learns of it a moment later
		found, err := admin.DescribeConfigs(ctx, []kafka.ConfigResource{resource})
		if err != nil {
			return fmt.Errorf("look at the topic's configuration: %w", err)
		}
		if found[0].Config[name].Value == value {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
