package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// poisoned publishes one record whose dead letter is larger than the dead-letter
// topic takes. Its partition waits, and nobody else; it ends once the topic takes it.
func poisoned(ctx context.Context, s *stand, found *result) error {
	const n, small, poison = 100_000, 50_000, 500_000
	bad := fmt.Sprint("p", n/2) // whose partition it is
	want, artists := map[string]int64{}, map[string]int64{}
	events := func(yield func(event) bool) {
		for e := range s.prose.posts(n, want) {
			if !yield(e) {
				return
			}
			if e.topic == "post.created" && len(want)%10 == 0 {
				if !yield(s.prose.artist("a"+e.key[1:], artists)) {
					return
				}
			}
			if e.key == bad && e.topic == "post.created" && !yield(event{e.topic, bad, []byte(s.prose.text(poison))}) {
				return
			}
		}
	}
	if err := errors.Join(s.publish(ctx, events), s.setLargest(ctx, "dlq", small)); err != nil {
		return err
	}
	w, err := s.start(ctx, s.cluster.URL, found)
	if err != nil {
		return err
	}
	total := n + n/10 + len(artists) + 1
	got := 0.0
	before, during, err := w.aroundPause(ctx, func(m e2e.Metrics) bool {
		got = ended(m)
		return ended(m) > float64(total/2) && behind(m) == 1
	})
	err = errors.Join(err, s.setLargest(ctx, "dlq", largest))
	raised := time.Now()
	if err == nil {
		err = w.until(ctx, all(total))
	}
	if err := w.stop(err); err != nil {
		return err
	}
	found.say("events\t%d", total)
	found.say("ended while one partition waits\t%.0f, all of the %d others", got, len(topics())*partitions-1)
	found.say("rate before and while one partition waits\t%.0f/s, %.0f/s", before, during)
	found.say("all, once the letter is taken\t%.1f s later", time.Since(raised).Seconds())
	return errors.Join(s.checkProcess(found), s.checkCommitted(ctx, total),
		s.checkDocuments(ctx, "posts", want), s.checkDocuments(ctx, "artists", artists), s.checkLetters(ctx, 1))
}

// aroundPause follows a worker until done, and returns the rates before and after
// some partition was paused.
func (w *worker) aroundPause(ctx context.Context, done func(e2e.Metrics) bool) (before, during float64, err error) {
	var began, paused, last time.Time
	var from, until, now float64
	err = w.until(ctx, func(m e2e.Metrics) bool {
		last, now = time.Now(), ended(m)
		if began.IsZero() && now > 0 {
			began, from = last, now
		}
		if paused.IsZero() && m.Sum("indexer_partitions_paused") > 0 {
			paused, until = last, now
		}
		return done(m)
	})
	if err == nil && paused.IsZero() {
		err = errors.New("no partition was paused")
	}
	return (until - from) / paused.Sub(began).Seconds(), (now - until) / last.Sub(paused).Seconds(), err
}

// behind is the number of partitions with records that have not ended.
func behind(m e2e.Metrics) (n int) {
	for series, lag := range m {
		if strings.HasPrefix(series, "indexer_consumer_lag{") && lag > 0 {
			n++
		}
	}
	return n
}

// setLargest sets how many bytes of a record a topic takes.
func (s *stand) setLargest(ctx context.Context, topic string, bytes int) error {
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": s.broker.Addresses})
	if err != nil {
		return fmt.Errorf("make an admin client: %w", err)
	}
	defer admin.Close()
	set, err := admin.IncrementalAlterConfigs(ctx, []kafka.ConfigResource{{
		Type: kafka.ResourceTopic, Name: s.name + topic,
		Config: []kafka.ConfigEntry{{
			Name: "max.message.bytes", Value: fmt.Sprint(bytes), IncrementalOperation: kafka.AlterConfigOpTypeSet,
		}},
	}})
	for _, resource := range set {
		if resource.Error.Code() != kafka.ErrNoError {
			err = errors.Join(err, resource.Error)
		}
	}
	if err != nil {
		return fmt.Errorf("change what the topic takes: %w", err)
	}
	return nil
}

func (s *stand) checkLetters(ctx context.Context, want int) error {
	letters, err := s.broker.Letters(ctx, s.name+"dlq")
	if err == nil && len(letters) != want {
		err = fmt.Errorf("%d dead letters, want %d", len(letters), want)
	}
	return err
}
