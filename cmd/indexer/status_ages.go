package main

import (
	"context"
	"time"

	"github.com/search-indexer/search-indexer/internal/stream"
)

// readAges reads the first record of each partition that the group has yet to read:
// nothing else tells its age. What can't be read in time stays unknown.
func (o *overview) readAges(ctx context.Context, p *program, s settings, found []stream.PartitionStatus) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var unread []stream.Range
	for _, part := range found {
		if part.Topic != s.Kafka.DLQTopic {
			unread = append(unread, part.Unread())
		}
	}
	reader, err := stream.NewReader(s.Kafka, s.Log.logger(p.stderr))
	if err != nil {
		return // as of the admin client, which has told already
	}
	defer reader.Close()
	first, err := reader.First(ctx, unread)
	ages := map[string]map[int32]float64{}
	for part, r := range first {
		if ages[part.Topic] == nil {
			ages[part.Topic] = map[int32]float64{}
		}
		ages[part.Topic][part.ID] = max(time.Since(time.UnixMilli(r.Timestamp)).Seconds(), 0)
	}
	for _, topic := range o.Topics {
		for i := range topic.Partitions {
			at := &topic.Partitions[i]
			age, known := ages[topic.Topic][at.Partition]
			// What was read to its end without a record holds only markers.
			if known || at.Lag == 0 || err == nil {
				at.LagSeconds = &age
			}
		}
	}
}

// measure looks a second time, and tells rates.
func (o *overview) measure(ctx context.Context, admin *stream.Admin, s settings, began time.Time) {
	const apart = 3 * time.Second
	select {
	case <-time.After(time.Until(began.Add(apart))):
	case <-ctx.Done():
		return
	}
	found, err := admin.GroupLag(ctx, s.Kafka.GroupID, s.Kafka.FullTopics())
	if err != nil {
		return // the first look stands
	}
	passed := time.Since(began).Seconds()
	for i := range o.Topics {
		topic := &o.Topics[i]
		published, done := 0.0, 0.0
		for _, now := range found {
			for _, then := range topic.Partitions {
				if now.Topic == topic.Topic && now.ID == then.Partition {
					published += float64(max(now.High-then.End, 0)) / passed
					done += float64(max(now.Committed-max(then.Committed, 0), 0)) / passed
				}
			}
		}
		topic.Published, topic.Done = &published, &done
	}
}
