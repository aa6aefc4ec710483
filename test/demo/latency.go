package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

const (
	freshEvents = 12
	// freshEvery is no divisor of the refresh interval, so that the events fall on
	// all parts of it: one written just before a refresh is found at once.
	freshEvery = 73 * time.Millisecond
)

// showLatency measures how long fresh posts take until a search by words finds them.
func (s *story) showLatency(ctx context.Context) error {
	s.page.say("%d posts are published, one every %s, and searched for until found.", freshEvents, millis(freshEvery))
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	sent, found := map[string]time.Time{}, map[string]time.Duration{}
	next := time.NewTicker(freshEvery)
	defer next.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for len(found) < freshEvents && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-next.C:
			if len(sent) == freshEvents {
				continue
			}
			id := fmt.Sprintf("fresh-%d", len(sent)+1)
			sent[id] = time.Now()
			if err := s.sendFresh(id, sent[id]); err != nil {
				return err
			}
		case <-look.C:
			docs, err := s.visible(ctx, "post", byWords("title", "премьеры"))
			if err != nil {
				return err
			}
			for i := range docs {
				if _, ok := found[docs[i].ID]; !ok {
					found[docs[i].ID] = time.Since(sent[docs[i].ID])
				}
			}
		}
	}
	s.showTimes(found)
	// They end in the books as well.
	_, err := s.publish(context.WithoutCancel(ctx))
	return err
}

func (s *story) sendFresh(id string, now time.Time) error {
	line, err := json.Marshal(map[string]any{
		"event_id": s.prefix() + id, "event_type": "post.created", "timestamp": now.UTC().Format(time.RFC3339Nano), "version": 1,
		"data": map[string]any{"post_id": id, "title": "Премьера сегодня вечером", "language": "ru", "created_at": now.UTC().Format(time.RFC3339)},
	})
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	return s.send(line)
}

func (s *story) showTimes(found map[string]time.Duration) {
	problem := unless(len(found) == freshEvents, "only %d were, within %s", len(found), patience)
	if len(found) == 0 {
		s.page.check("they were found", problem)
		return
	}
	var times []time.Duration
	for _, took := range found {
		times = append(times, took)
	}
	slices.Sort(times)
	s.page.check(fmt.Sprintf("all found, after:  min %s   median %s   max %s", millis(times[0]), millis(times[len(times)/2]), millis(times[len(times)-1])), problem)
	s.page.say("Most of it is the wait for OpenSearch's next refresh, which comes every 500 ms (OPENSEARCH_REFRESH_INTERVAL).")
}

func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
