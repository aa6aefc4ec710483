package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

const cleanUpTimeout = time.Minute

// remove deletes the indices of one side, so that their merges cost the next
// measurement nothing.
func (b *bench) remove(ctx context.Context, s side) error {
	return b.removeIndices(ctx, s.prefix)
}

// removeIndices removes indices and templates by their prefix. It names them one by
// one, since a cluster may refuse to delete by a pattern, and since a pattern of
// templates that nothing matches is an error (404 on 3.8.0). An interrupted run
// may still be removing some of them.
func (b *bench) removeIndices(ctx context.Context, prefix string) error {
	var indices map[string]any
	err := b.cluster.Do(ctx, http.MethodGet, "/"+prefix+"*/_alias", "", &indices)
	for index := range indices {
		err = errors.Join(err, b.cluster.Do(ctx, http.MethodDelete, "/"+index+"?ignore_unavailable=true", "", nil))
	}
	var found struct {
		Templates []struct{ Name string } `json:"index_templates"`
	}
	err = errors.Join(err, b.cluster.Do(ctx, http.MethodGet, "/_index_template?filter_path=index_templates.name", "", &found))
	for _, t := range found.Templates {
		if strings.HasPrefix(t.Name, prefix) {
			err = errors.Join(err, b.cluster.Do(ctx, http.MethodDelete, "/_index_template/"+t.Name, "", nil))
		}
	}
	if err != nil {
		return fmt.Errorf("remove indices and templates: %w", err)
	}
	return nil
}

// cleanUp removes all that the run has made and not removed before.
func (b *bench) cleanUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTimeout)
	defer cancel()
	return errors.Join(
		b.removeIndices(ctx, b.name),
		b.removeTopics(ctx),
		b.removeGroups(ctx),
		b.forgetEvents(ctx),
	)
}

func (b *bench) removeTopics(ctx context.Context) error {
	all, err := b.broker.Topics()
	if err != nil {
		return err
	}
	var ours []string
	for topic := range all {
		if strings.HasPrefix(topic, b.name) {
			ours = append(ours, topic)
		}
	}
	if len(ours) == 0 {
		return nil
	}
	if err := b.broker.Delete(ctx, ours...); err != nil {
		return fmt.Errorf("remove topics: %w", err)
	}
	return nil
}

func (b *bench) removeGroups(ctx context.Context) error {
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": b.broker.Addresses})
	if err != nil {
		return fmt.Errorf("remove groups: %w", err)
	}
	defer admin.Close()
	var left []error
	for _, group := range b.groups {
		answer, err := admin.DeleteConsumerGroups(ctx, []string{group})
		for _, r := range answer.ConsumerGroupResults {
			if code := r.Error.Code(); code != kafka.ErrNoError && code != kafka.ErrGroupIDNotFound {
				err = r.Error
			}
		}
		if err != nil {
			left = append(left, fmt.Errorf("remove group %s: %w", group, err))
		}
	}
	return errors.Join(left...)
}

// forgetEvents removes what the workers remembered in Redis. Keys begin with "si1"
// and the UUID of the index; they would expire, but not before a day has passed.
func (b *bench) forgetEvents(ctx context.Context) error {
	client, err := b.redisClient()
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	ours := map[string]bool{}
	for _, space := range b.spaces {
		ours["si1"+space] = true
	}
	const uuidSize = 22
	var cursor uint64
	for {
		keys, next, err := client.Scan(ctx, cursor, "si1*", 5000).Result()
		if err != nil {
			return fmt.Errorf("look for remembered events: %w", err)
		}
		var gone []string
		for _, key := range keys {
			if end := len("si1") + uuidSize; len(key) > end && ours[key[:end]] {
				gone = append(gone, key)
			}
		}
		if len(gone) > 0 {
			if err := client.Unlink(ctx, gone...).Err(); err != nil {
				return fmt.Errorf("remove remembered events: %w", err)
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}
