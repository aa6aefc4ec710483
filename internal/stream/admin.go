package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
)

// Admin makes topics and looks at them and at groups. It is safe for concurrent
// use. Its methods wait for a broker until ctx ends, or 10 s where ctx has no
// deadline.
type Admin struct {
	cfg        Config
	log        zerolog.Logger
	client     *kafka.AdminClient
	connection *connection
	clients    sync.WaitGroup // goroutines of all clients
}

// NewAdmin makes an Admin. No broker needs to answer yet; an error means that the
// settings are wrong.
func NewAdmin(cfg Config, log zerolog.Logger) (*Admin, error) {
	properties := cfg.withOptions(cfg.properties())
	properties["go.logs.channel.enable"] = true
	client, err := kafka.NewAdminClient(&properties)
	if err != nil {
		return nil, fmt.Errorf("make Kafka admin client: %w", err)
	}
	a := &Admin{cfg: cfg, log: log, client: client, connection: &connection{}}
	a.clients.Go(func() { forwardLogs(client.Logs(), log, a.connection) })
	return a, nil
}

// Close frees the connections. Nothing is logged after it.
func (a *Admin) Close() {
	a.client.Close()
	a.clients.Wait()
}

// TopicSpec is a topic to be made.
type TopicSpec struct {
	Name              string
	Partitions        int           // at least 1
	ReplicationFactor int           // at least 1, at most the number of brokers
	Retention         time.Duration // below 0 keeps records for ever
	MaxMessageBytes   int           // largest record batch; 0 leaves it to the brokers
	Compact           bool          // keep the last record of each key for ever; Retention does not count
}

func (s TopicSpec) specification() kafka.TopicSpecification {
	retention := int64(-1)
	if s.Retention >= 0 {
		retention = s.Retention.Milliseconds()
	}
	config := map[string]string{
		"cleanup.policy": "delete",
		"retention.ms":   strconv.FormatInt(retention, 10),
	}
	if s.Compact {
		config = map[string]string{"cleanup.policy": "compact"}
	} else if retention < 0 {
		config["retention.bytes"] = "-1"
	}
	if s.MaxMessageBytes > 0 {
		config["max.message.bytes"] = strconv.Itoa(s.MaxMessageBytes)
	}
	return kafka.TopicSpecification{
		Topic: s.Name, NumPartitions: s.Partitions, ReplicationFactor: s.ReplicationFactor, Config: config,
	}
}

// CreateTopics makes those of the topics that do not exist and leaves the others
// as they are. Beside an error it returns what was done all the same.
func (a *Admin) CreateTopics(ctx context.Context, specs []TopicSpec) (created, existing []string, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	asked := make([]kafka.TopicSpecification, len(specs))
	for i, spec := range specs {
		asked[i] = spec.specification()
	}
	results, err := a.client.CreateTopics(ctx, asked, kafka.SetAdminOperationTimeout(lookTimeout), requestTimeout(ctx))
	if err != nil {
		return nil, nil, fmt.Errorf("create topics: %w", a.connection.explain(err))
	}
	var failed []error
	for _, result := range results {
		switch result.Error.Code() {
		case kafka.ErrNoError:
			created = append(created, result.Topic)
		case kafka.ErrTopicAlreadyExists:
			existing = append(existing, result.Topic)
		default:
			failed = append(failed, fmt.Errorf("create topic %s: %w", result.Topic, result.Error))
		}
	}
	return created, existing, errors.Join(failed...)
}

// Partitions returns the partitions of those of the topics that exist.
func (a *Admin) Partitions(ctx context.Context, topics []string) (map[string][]int32, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	found, err := scout{admin: a.client}.topics(ctx, topics)
	partitions := make(map[string][]int32, len(found))
	for name, t := range found {
		partitions[name] = t.partitions
	}
	return partitions, a.connection.explain(err)
}

// MaxMessageBytes returns the largest record batch that each of the topics takes;
// all of them must exist.
func (a *Admin) MaxMessageBytes(ctx context.Context, topics []string) (map[string]int, error) {
	const setting = "max.message.bytes"
	ctx, cancel := bounded(ctx)
	defer cancel()
	settings, err := a.settings(ctx, topics)
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int, len(topics))
	for name, of := range settings {
		size, err := strconv.Atoi(of[setting].Value)
		if err != nil {
			return nil, fmt.Errorf("read %s of topic %s: %w", setting, name, err)
		}
		sizes[name] = size
	}
	return sizes, nil
}

// settings returns the settings of topics, all of which must exist.
func (a *Admin) settings(ctx context.Context, topics []string) (map[string]map[string]kafka.ConfigEntryResult, error) {
	asked := make([]kafka.ConfigResource, len(topics))
	for i, name := range topics {
		asked[i] = kafka.ConfigResource{Type: kafka.ResourceTopic, Name: name}
	}
	results, err := a.client.DescribeConfigs(ctx, asked, requestTimeout(ctx))
	if err != nil {
		return nil, fmt.Errorf("describe the settings of topics: %w", a.connection.explain(err))
	}
	settings := make(map[string]map[string]kafka.ConfigEntryResult, len(topics))
	for _, result := range results {
		if result.Error.Code() != kafka.ErrNoError {
			return nil, fmt.Errorf("describe the settings of topic %s: %w", result.Name, result.Error)
		}
		settings[result.Name] = result.Config
	}
	return settings, nil
}

// PartitionStatus is how far a group has come in one partition.
type PartitionStatus struct {
	record.Partition
	TopicID   string // empty where the brokers know no topic ids
	Committed int64  // next offset to read, or -1 where the group has none
	Start     int64  // where a worker would begin: elsewhere than at Committed where there is none, or of another TopicID
	Low, High int64  // first offset of the log, and the one after its last
	Lag       int64  // records (and markers of transactions) that the group has yet to read
	Problem   error  // set where a worker would not begin before an operator decides
}

// GroupLag returns the state of every partition of those of the topics that exist,
// sorted. It needs no running member. Beside an error it returns those whose state
// could be told all the same: a partition has none while its leader does not answer.
func (a *Admin) GroupLag(ctx context.Context, group string, topics []string) ([]PartitionStatus, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	s, done, err := a.outside(ctx, group)
	if err != nil {
		return nil, err
	}
	defer done()
	found, err := s.topics(ctx, topics)
	if err != nil {
		return nil, a.connection.explain(err)
	}
	partitions := partitionsIn(found)
	places, err := s.places(ctx, found, partitions)
	if err != nil {
		return nil, a.connection.explain(err)
	}
	all := make([]PartitionStatus, 0, len(places))
	var untold []error
	for _, id := range partitions {
		at, ok := places[id]
		if !ok {
			untold = append(untold, noLeader(id))
			continue
		}
		from, _ := StartAt(id, at, group)
		all = append(all, PartitionStatus{
			Partition: id, TopicID: at.TopicID, Committed: at.Committed, Start: from.Offset, Low: at.Low, High: at.High,
			Lag: max(at.High-max(from.Offset, at.Low), 0), Problem: from.Problem,
		})
	}
	slices.SortFunc(all, func(a, b PartitionStatus) int { return comparePartitions(a.Partition, b.Partition) })
	return all, a.connection.explain(errors.Join(untold...))
}

// outside returns a scout for a group that it is no member of: its consumer never
// subscribes, so it does not join.
func (a *Admin) outside(ctx context.Context, group string) (s scout, done func(), err error) {
	properties := a.cfg.consumerProperties()
	properties["group.id"] = group
	properties["go.logs.channel.enable"] = true
	client, err := kafka.NewConsumer(&properties)
	if err != nil {
		return scout{}, nil, fmt.Errorf("make Kafka consumer: %w", err)
	}
	a.clients.Go(func() { forwardLogs(client.Logs(), a.log, a.connection) })
	done = func() { closeAside(client, &a.clients) }
	deadline, _ := ctx.Deadline()
	return scout{admin: a.client, member: client, group: group, patience: time.Until(deadline)}, done, nil
}

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, lookTimeout)
}
