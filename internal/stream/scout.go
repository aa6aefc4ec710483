package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/internal/record"
)

// topic is what the brokers say of a topic that exists.
type topic struct {
	id         string // empty where the brokers know no topic ids
	partitions []int32
	replicas   int // of the partition that has most
}

// Place is what the brokers say of one partition, for one consumer group.
type Place struct {
	TopicID     string // empty where the brokers know no topic ids
	Committed   int64  // next offset to read, or -1 where the group has none
	CommittedID string // topic id that the offset was committed for; empty if unknown
	Low, High   int64  // first offset of the log, and the one after its last
}

// scout asks the brokers. Its methods block until they answer or ctx ends, and
// may be called from several goroutines.
type scout struct {
	admin    *kafka.AdminClient
	member   *kafka.Consumer // of the group, or of nobody: only asked for committed offsets
	group    string
	patience time.Duration // how long to wait for committed offsets at most; that ctx is cancelled does not end it
}

// answerPatience bounds each question for offsets. A broker that does not answer holds
// up the partitions that it leads, and the questions that come next must have time left
// to tell of all others.
const answerPatience = 3 * time.Second

// topics returns those of the named topics that exist. Beside an error it
// returns what could be told all the same.
func (s scout) topics(ctx context.Context, names []string) (map[string]topic, error) {
	answer, err := s.admin.DescribeTopics(ctx, kafka.NewTopicCollectionOfTopicNames(names), requestTimeout(ctx))
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	found := make(map[string]topic, len(names))
	var failed []error
	for _, description := range answer.TopicDescriptions {
		switch description.Error.Code() {
		case kafka.ErrNoError:
			found[description.Name] = describe(description)
		case kafka.ErrUnknownTopicOrPart, kafka.ErrUnknownTopic:
		default:
			failed = append(failed, fmt.Errorf("describe topic %s: %w", description.Name, description.Error))
		}
	}
	return found, errors.Join(failed...)
}

func describe(description kafka.TopicDescription) topic {
	t := topic{}
	// Brokers before 2.8 and some compatible ones answer the zero id.
	if id := description.TopicID; id.GetMostSignificantBits() != 0 || id.GetLeastSignificantBits() != 0 {
		t.id = id.String()
	}
	for _, partition := range description.Partitions {
		t.replicas = max(t.replicas, len(partition.Replicas))
		t.partitions = append(t.partitions, int32(partition.Partition)) //nolint:gosec // Kafka numbers partitions by int32
	}
	return t
}

// partitionsIn lists the partitions of all the topics.
func partitionsIn(topics map[string]topic) []record.Partition {
	var ids []record.Partition
	for name, t := range topics {
		for _, id := range t.partitions {
			ids = append(ids, record.Partition{Topic: name, ID: id})
		}
	}
	return ids
}

func topicPartitions(partitions []record.Partition) []kafka.TopicPartition {
	asked := make([]kafka.TopicPartition, len(partitions))
	for i, p := range partitions {
		asked[i] = topicPartition(p, 0)
	}
	return asked
}

// places returns what the brokers say of the partitions; those that have no
// answer yet, such as those of a missing topic, are left out.
func (s scout) places(ctx context.Context, topics map[string]topic, partitions []record.Partition) (map[record.Partition]Place, error) {
	var asked []kafka.TopicPartition
	for _, p := range partitions {
		if _, ok := topics[p.Topic]; ok {
			asked = append(asked, topicPartition(p, 0))
		}
	}
	if len(asked) == 0 {
		return nil, nil
	}
	low, err := s.offsets(ctx, asked, kafka.EarliestOffsetSpec)
	if err != nil {
		return nil, fmt.Errorf("look up the first offsets: %w", err)
	}
	high, err := s.offsets(ctx, asked, kafka.LatestOffsetSpec)
	if err != nil {
		return nil, fmt.Errorf("look up the last offsets: %w", err)
	}
	committed, err := s.committed(ctx, asked)
	if err != nil {
		return nil, fmt.Errorf("look up the committed offsets of group %s: %w", s.group, err)
	}
	found := make(map[record.Partition]Place, len(asked))
	for p, at := range committed {
		first, hasLow := low[p]
		last, hasHigh := high[p]
		if hasLow && hasHigh {
			at.TopicID, at.Low, at.High = topics[p.Topic].id, first, last
			found[p] = at
		}
	}
	return found, nil
}

// logs returns the present log of each of the partitions, up to what is committed, and
// those whose leader does not tell.
func (s scout) logs(ctx context.Context, topics map[string]topic, partitions []record.Partition) (logs []Range, untold []record.Partition, err error) {
	if len(partitions) == 0 {
		return nil, nil, nil
	}
	asked := topicPartitions(partitions)
	low, err := s.offsets(ctx, asked, kafka.EarliestOffsetSpec)
	if err != nil {
		return nil, nil, fmt.Errorf("look up the first offsets: %w", err)
	}
	high, err := s.offsets(ctx, asked, kafka.LatestOffsetSpec, kafka.SetAdminIsolationLevel(kafka.IsolationLevelReadCommitted))
	if err != nil {
		return nil, nil, fmt.Errorf("look up the last offsets: %w", err)
	}
	for _, p := range partitions {
		from, hasLow := low[p]
		to, hasHigh := high[p]
		if hasLow && hasHigh {
			logs = append(logs, Range{Partition: p, TopicID: topics[p.Topic].id, From: from, To: to})
		} else {
			untold = append(untold, p)
		}
	}
	return logs, untold, nil
}

// offsets lists one end of the partitions' logs, or where a time begins in them (-1 for
// one that comes after the last record). Partitions whose leader does not tell in time
// are left out. Unless options say otherwise, the last offset counts records of open
// transactions, as a committed one may lie behind them.
func (s scout) offsets(ctx context.Context, partitions []kafka.TopicPartition, end kafka.OffsetSpec, options ...kafka.ListOffsetsAdminOption) (map[record.Partition]int64, error) {
	asked := make(map[kafka.TopicPartition]kafka.OffsetSpec, len(partitions))
	for _, p := range partitions {
		asked[p] = end
	}
	timeout := kafka.SetAdminRequestTimeout(min(timeLeft(ctx), answerPatience))
	answer, err := s.admin.ListOffsets(ctx, asked, append(options, timeout)...)
	if codeOf(err) == kafka.ErrNoent { // "no leaders found", of not even one of them
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := make(map[record.Partition]int64, len(partitions))
	for p, info := range answer.ResultInfos {
		// An offset that a broker did not tell in time comes as invalid, without an error
		// (librdkafka 2.15).
		if info.Error.Code() == kafka.ErrNoError && info.Offset != kafka.OffsetInvalid {
			found[partitionOf(p)] = int64(info.Offset)
		}
	}
	return found, nil
}

// committed asks by a consumer, not by the admin client: that one's question goes to
// the group's coordinator too, and aborts the whole process where that goes away
// meanwhile (rd_kafka_enq_once_del_source_return: Assertion `eonce->refcnt > 0'
// failed, in librdkafka 2.15; its issue 4605 and pull request 5397).
func (s scout) committed(ctx context.Context, partitions []kafka.TopicPartition) (map[record.Partition]Place, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	patience := min(s.patience, timeLeft(ctx))
	answer, err := s.member.Committed(partitions, int(patience.Milliseconds()))
	if err != nil {
		return nil, err
	}
	found := make(map[record.Partition]Place, len(partitions))
	var failed []error
	for _, p := range answer {
		if p.Error != nil {
			failed = append(failed, fmt.Errorf("%s: %w", partitionOf(p), p.Error))
			continue
		}
		found[partitionOf(p)] = Place{Committed: max(int64(p.Offset), -1), CommittedID: readMetadata(p.Metadata)}
	}
	return found, errors.Join(failed...)
}

// requestTimeout bounds a request as ctx does: the client's own bound is 60 s.
func requestTimeout(ctx context.Context) kafka.AdminOptionRequestTimeout {
	return kafka.SetAdminRequestTimeout(timeLeft(ctx))
}

// timeLeft is at least 1 ms, as the client refuses less.
func timeLeft(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return lookTimeout
	}
	return max(time.Until(deadline), time.Millisecond)
}

const lookTimeout = 10 * time.Second

// metadataPrefix marks the text that is committed beside an offset.
const metadataPrefix = "topic-id="

func writeMetadata(topicID string) *string {
	if topicID == "" {
		return nil
	}
	text := metadataPrefix + topicID
	return &text
}

func readMetadata(text *string) (topicID string) {
	if text == nil {
		return ""
	}
	id, ours := strings.CutPrefix(*text, metadataPrefix)
	if !ours {
		return ""
	}
	return id
}
