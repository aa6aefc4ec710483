package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// stand is one case's place on the servers that the environment names.
type stand struct {
	options options
	name    string // in front of all that the case makes
	broker  e2e.Broker
	cluster e2e.Cluster
	prose   *prose
}

const (
	partitions = 12
	largest    = 12 << 20 // bytes of a record that the topics take
)

// topics are those that a case uses.
func topics() []string { return []string{"post.created", "post.updated", "artist.created"} }

func newStand(o options) (*stand, error) {
	random := make([]byte, 4)
	_, _ = rand.Read(random) // documented to never fail
	url, _, _ := strings.Cut(os.Getenv("OPENSEARCH_URLS"), ",")
	s := &stand{
		options: o, name: "pressure-" + hex.EncodeToString(random) + "-", prose: newProse(),
		broker:  e2e.Broker{Addresses: os.Getenv("KAFKA_BROKERS")},
		cluster: e2e.Cluster{URL: strings.TrimSuffix(url, "/")},
	}
	if s.broker.Addresses == "" || url == "" || os.Getenv("REDIS_URL") == "" {
		return nil, errors.New(`KAFKA_BROKERS, OPENSEARCH_URLS or REDIS_URL not set: run make backpressure`)
	}
	return s, nil
}

// command is the program, reaching OpenSearch by the given address.
func (s *stand) command(ctx context.Context, opensearch string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.options.indexer, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = append(os.Environ(),
		"KAFKA_TOPIC_PREFIX="+s.name, "KAFKA_TOPICS="+strings.Join(topics(), ","),
		"KAFKA_GROUP_ID="+s.name+"group", "KAFKA_DLQ_TOPIC="+s.name+"dlq",
		"OPENSEARCH_URLS="+opensearch, "OPENSEARCH_INDEX_PREFIX="+s.name, "OPENSEARCH_REPLICAS=0",
		"HTTP_ADDR=127.0.0.1:0", "LOG_LEVEL=info", "LOG_FORMAT=json")
	return cmd
}

// setup makes topics that take large records, and all else by `indexer setup`.
func (s *stand) setup(ctx context.Context) error {
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": s.broker.Addresses})
	if err != nil {
		return fmt.Errorf("make an admin client: %w", err)
	}
	defer admin.Close()
	var specs []kafka.TopicSpecification
	for _, topic := range topics() {
		specs = append(specs, kafka.TopicSpecification{
			Topic: s.name + topic, NumPartitions: partitions, ReplicationFactor: 1,
			Config: map[string]string{"max.message.bytes": fmt.Sprint(largest), "retention.ms": "-1"},
		})
	}
	made, err := admin.CreateTopics(ctx, specs, kafka.SetAdminOperationTimeout(time.Minute))
	for _, topic := range made {
		if topic.Error.Code() != kafka.ErrNoError {
			err = errors.Join(err, topic.Error)
		}
	}
	if err != nil {
		return fmt.Errorf("make the topics: %w", err)
	}
	var out bytes.Buffer
	cmd := s.command(ctx, s.cluster.URL, "setup")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("indexer setup: %w: %s", err, out.String())
	}
	return nil
}

// publish writes events and returns once the brokers have all of them.
func (s *stand) publish(ctx context.Context, events iter.Seq[event]) error {
	producer, err := kafka.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers": s.broker.Addresses, "enable.idempotence": true, "compression.type": "lz4",
		"message.max.bytes": largest, "linger.ms": 5, "queue.buffering.max.kbytes": 64 << 10,
		"message.timeout.ms": 300_000, "partitioner": "murmur2_random", "go.delivery.reports": true,
	})
	if err != nil {
		return fmt.Errorf("make a producer: %w", err)
	}
	failed := make(chan error, 1)
	go func() {
		var first error
		for e := range producer.Events() { // until Close
			if m, ok := e.(*kafka.Message); ok && m.TopicPartition.Error != nil && first == nil {
				first = fmt.Errorf("publish: %w", m.TopicPartition.Error)
			}
		}
		failed <- first
	}()
	err = s.send(ctx, producer, events)
	for err == nil && producer.Flush(1000) > 0 {
		err = ctx.Err()
	}
	producer.Close()
	return errors.Join(err, <-failed)
}

func (s *stand) send(ctx context.Context, producer *kafka.Producer, events iter.Seq[event]) error {
	for e := range events {
		topic := s.name + e.topic
		m := &kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
			Key:            []byte(e.key), Value: e.value,
		}
		err := producer.Produce(m, nil)
		for full := (kafka.Error{}); errors.As(err, &full) && full.Code() == kafka.ErrQueueFull && ctx.Err() == nil; {
			producer.Flush(50)
			err = producer.Produce(m, nil)
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	return nil
}

// remove takes away all that the case has made.
func (s *stand) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	all, err := s.broker.Topics()
	var ours []string
	for topic := range all {
		if strings.HasPrefix(topic, s.name) {
			ours = append(ours, topic)
		}
	}
	if len(ours) > 0 {
		err = errors.Join(err, s.broker.Delete(ctx, ours...))
	}
	err = errors.Join(err, s.cluster.Remove(ctx, s.name))
	for _, entity := range []string{"posts", "artists"} { // a template that is not there is as good
		_ = s.cluster.Do(ctx, "DELETE", "/_index_template/"+s.name+entity, "", nil)
	}
	return err
}
