package stream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/record"
)

// newClient makes a client, and one for questions that shares its connections and
// must not be used once it is closed.
func newClient(cfg Config, log zerolog.Logger, logs *sync.WaitGroup) (*kafka.Consumer, *kafka.AdminClient, error) {
	properties := cfg.consumerProperties()
	properties["go.logs.channel.enable"] = true
	client, err := kafka.NewConsumer(&properties)
	if err != nil {
		return nil, nil, fmt.Errorf("make Kafka consumer: %w", err)
	}
	logs.Go(func() { forwardLogs(client.Logs(), log, &connection{}) })
	admin, err := kafka.NewAdminClientFromConsumer(client)
	if err != nil {
		return nil, nil, fmt.Errorf("make Kafka admin client: %w", err)
	}
	return client, admin, nil
}

// retire gives everything up, so that the client can be replaced: the partitions
// of topics that were made again are lost, all others are handed over in order.
//
// A client that has read a topic cannot go on with the one that was made again
// under its name. It keeps the highest leader epoch that it has seen of a partition,
// and takes no metadata with a lower one; a new topic's epochs begin at 0. Where the
// old epoch had risen, by a broker's restart for example, it would ask with the old
// one and be refused for ever (UNKNOWN_LEADER_EPOCH; librdkafka 2.15, Kafka 4.1).
func (c *Consumer) retire(ctx context.Context, remade []string) {
	var lost, rest []record.Partition
	for _, id := range c.ids() {
		if slices.Contains(remade, id.Topic) {
			lost = append(lost, id)
		} else {
			rest = append(rest, id)
		}
	}
	c.release(ctx, Lost, lost)
	c.release(ctx, Revoked, rest)
	c.outworn = true
}

// renew replaces the client by a new one, which joins the group anew. Nothing is
// owned, and nobody looks around.
func (c *Consumer) renew(ctx context.Context) error {
	if !c.lockCommits(ctx) {
		return nil
	}
	defer c.commits.Unlock()
	c.joined.Store(false)
	if err := c.client.Close(); err != nil {
		return fmt.Errorf("leave the consumer group to join it anew: %w", err)
	}
	c.cfg.SASLPassword, _ = c.cfg.SASLPassword.Renew() // as login may have done for the old client
	c.made = c.cfg.fingerprint()
	client, admin, err := newClient(c.cfg, c.log, &c.logs)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.client, c.scout.member, c.scout.admin = client, client, admin
	clear(c.topicIDs)
	c.outworn, c.suspect, c.chunk = false, false, chunk{}
	return nil
}

// lockCommits waits for the commit under way, which takes up to 45 s while the
// brokers are away, but not past the end of ctx: a worker that is to end would not.
func (c *Consumer) lockCommits(ctx context.Context) bool {
	for !c.commits.TryLock() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(soonWait):
		}
	}
	return true
}
