package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/go-json-experiment/json"
)

// publisher publishes fresh posts at an even rate, whatever becomes of them.
type publisher struct {
	client *kafka.Producer
	topic  string
	posts  *inventor
	sent   int // events so far, each of a document of its own
}

// newPublisher makes a publisher that sends each event at once (linger.ms=0), so
// that what is measured is not its own wait.
func (b *bench) newPublisher(topics string) (*publisher, error) {
	posts, err := newInventor(b.options.seed, usualSize)
	if err != nil {
		return nil, err
	}
	client, err := kafka.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers": b.broker.Addresses, "enable.idempotence": true, "linger.ms": 0, "partitioner": "murmur2_random",
		"go.delivery.reports": false, "queue.buffering.max.messages": 1_000_000,
	})
	if err != nil {
		return nil, fmt.Errorf("make a publisher: %w", err)
	}
	return &publisher{client: client, topic: topics + "post.created", posts: posts}, nil
}

func (p *publisher) close() { p.client.Close() }

// searchesPerSecond is how many events of a second are searched for.
const searchesPerSecond = 100

// publish sends rate events a second for a while, and waits until brokers have them.
func (p *publisher) publish(ctx context.Context, rate int, long time.Duration, into *timeline) error {
	values, ids, err := p.invent(int(float64(rate) * long.Seconds()))
	if err != nil {
		return err
	}
	every := max(rate/searchesPerSecond, 1)
	began, tick := time.Now(), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for sent := 0; sent < len(values); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		due := min(int(time.Since(began).Seconds()*float64(rate)), len(values))
		for ; sent < due; sent++ {
			into.publish(ids[sent], sent%every == 0)
			message := &kafka.Message{
				TopicPartition: kafka.TopicPartition{Topic: &p.topic, Partition: kafka.PartitionAny},
				Key:            []byte(ids[sent]), Value: values[sent],
			}
			if err := p.client.Produce(message, nil); err != nil {
				return fmt.Errorf("publish: %w", err)
			}
			p.sent++
		}
	}
	if left := p.client.Flush(30_000); left > 0 {
		return fmt.Errorf("publish: brokers have not taken %d events", left)
	}
	return nil
}

// invent makes events before their time, so that making them costs it nothing.
func (p *publisher) invent(count int) (values [][]byte, ids []string, err error) {
	p.posts.clock = time.Now().UTC()
	for range count {
		e := p.posts.created(p.posts.uuid())
		value, err := json.Marshal(e)
		if err != nil {
			return nil, nil, fmt.Errorf("write an event: %w", err)
		}
		values, ids = append(values, value), append(ids, e.Data.ID)
	}
	return values, ids, nil
}

const (
	// lookEvery is how long a search waits after the one before. What is found was
	// there for about half of it, and of a search's own time.
	lookEvery = 5 * time.Millisecond
	// rests is how much longer than the last search that wait is at least: while much
	// is sought, searches must not take the cores from those who are measured.
	rests = 4
)

// search looks for the sampled documents through the read alias, by id, until ctx
// ends.
func (b *bench) search(ctx context.Context, alias string, of *timeline) error {
	wait := lookEvery
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		began := time.Now()
		ids := of.sought()
		if len(ids) == 0 {
			continue
		}
		const most = 1000
		query, err := json.Marshal(map[string]any{
			"query": map[string]any{"ids": map[string]any{"values": ids[:min(len(ids), most)]}},
			"size":  most, "_source": false, "track_total_hits": false,
		})
		if err != nil {
			return fmt.Errorf("write a search: %w", err)
		}
		var answer struct {
			Hits struct {
				Hits []struct {
					ID string `json:"_id"`
				} `json:"hits"`
			} `json:"hits"`
		}
		err = b.cluster.Do(ctx, http.MethodPost, "/"+alias+"/_search", string(query), &answer)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return err
		}
		now := time.Now()
		wait = max(lookEvery, rests*now.Sub(began))
		for _, hit := range answer.Hits.Hits {
			of.find(hit.ID, now)
		}
	}
}
