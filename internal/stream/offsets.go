package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/internal/record"
)

// Members returns the members of a group now, each as "client id at host", sorted.
// A group that does not exist has none.
func (a *Admin) Members(ctx context.Context, group string) ([]string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	answer, err := a.client.DescribeConsumerGroups(ctx, []string{group}, requestTimeout(ctx))
	if err != nil {
		return nil, fmt.Errorf("describe group %s: %w", group, a.connection.explain(err))
	}
	var members []string
	for _, description := range answer.ConsumerGroupDescriptions {
		switch description.Error.Code() {
		case kafka.ErrNoError:
		case kafka.ErrGroupIDNotFound: // brokers from 4.0 on; older ones describe it as dead
		default:
			return nil, fmt.Errorf("describe group %s: %w", group, description.Error)
		}
		for _, m := range description.Members {
			members = append(members, fmt.Sprintf("%s at %s", m.ClientID, strings.TrimPrefix(m.Host, "/")))
		}
	}
	slices.Sort(members)
	return members, nil
}

// OffsetsAt returns for each of the partitions the first offset whose record has
// that timestamp or a later one, and the end of the log where there is none.
func (a *Admin) OffsetsAt(ctx context.Context, partitions []PartitionStatus, at time.Time) (map[record.Partition]int64, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	asked := make([]kafka.TopicPartition, len(partitions))
	for i, p := range partitions {
		asked[i] = topicPartition(p.Partition, 0)
	}
	found, err := scout{admin: a.client}.offsets(ctx, asked, kafka.NewOffsetSpecForTimestamp(at.UnixMilli()))
	if err != nil {
		return nil, fmt.Errorf("look up the offsets at %s: %w", at.Format(time.RFC3339), a.connection.explain(err))
	}
	for _, p := range partitions {
		switch offset, ok := found[p.Partition]; {
		case !ok:
			return nil, fmt.Errorf("look up the offset of %s at %s: the brokers do not tell", p.Partition, at.Format(time.RFC3339))
		case offset < 0:
			found[p.Partition] = p.High
		}
	}
	return found, nil
}

// ErrGroupActive says that a group has members, which know better where they are.
var ErrGroupActive = errors.New("the group has members")

// NextOffset is where a group is to go on in one partition.
type NextOffset struct {
	record.Partition
	TopicID string // as PartitionStatus told it; a worker begins anew where the topic has another by then
	Offset  int64
}

// SetOffsets makes a group without members go on at the given offsets, as if a
// worker had committed them. The brokers refuse it while the group has members
// (ErrGroupActive); then nothing is changed.
func (a *Admin) SetOffsets(ctx context.Context, group string, next []NextOffset) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	offsets := make([]kafka.TopicPartition, len(next))
	for i, n := range next {
		offsets[i] = topicPartition(n.Partition, n.Offset)
		offsets[i].Metadata = writeMetadata(n.TopicID)
	}
	answer, err := a.client.AlterConsumerGroupOffsets(ctx,
		[]kafka.ConsumerGroupTopicPartitions{{Group: group, Partitions: offsets}}, requestTimeout(ctx))
	if err != nil {
		return fmt.Errorf("set the offsets of group %s: %w", group, groupActive(a.connection.explain(err)))
	}
	var failed []error
	for _, done := range answer.ConsumerGroupsTopicPartitions {
		for _, p := range done.Partitions {
			if p.Error != nil {
				failed = append(failed, fmt.Errorf("set the offset of %s: %w", partitionOf(p), groupActive(p.Error)))
			}
		}
	}
	return errors.Join(failed...)
}

// groupActive tells the refusal that a group has members: to a commit of nobody's
// a group with members answers that it does not know the member (seen on Kafka 4.1
// of both group protocols).
func groupActive(err error) error {
	switch codeOf(err) {
	case kafka.ErrUnknownMemberID, kafka.ErrNonEmptyGroup, kafka.ErrRebalanceInProgress:
		return fmt.Errorf("%w: %w", ErrGroupActive, err)
	default:
		return err
	}
}
