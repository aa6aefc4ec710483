package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

const (
	freshEvents     = 12
	refreshInterval = 500 * time.Millisecond // the program's default
	// freshEvery is no divisor of the refresh interval, so that the events fall on
	// all parts of it: one written just before a refresh is found at once.
	freshEvery = 73 * time.Millisecond
)

// showLatency measures how long fresh posts take until a search by words finds them.
func (s *story) showLatency(ctx context.Context) error {
	s.page.say("%d posts are published, one every %s, and searched for until found.", freshEvents, millis(freshEvery))
	found, err := s.awaitFresh(ctx)
	if err != nil {
		return err
	}
	s.showTimes(found)
	_, err = s.publish(ctx) // no more: only to have these in the books
	return err
}

// awaitFresh returns when each fresh post was found, counted from just before it
// was handed to the publisher. Those that were not found in time are missing.
func (s *story) awaitFresh(ctx context.Context) (map[string]time.Duration, error) {
	sent, found := map[string]time.Time{}, map[string]time.Duration{}
	next, look := time.NewTicker(freshEvery), time.NewTicker(5*time.Millisecond)
	defer next.Stop()
	defer look.Stop()
	enough := time.After(patience)
	for len(found) < freshEvents {
		select {
		case <-enough:
			return found, nil
		case <-s.worker.ended:
			return nil, s.worker.over()
		case <-next.C:
			if len(sent) == freshEvents {
				continue
			}
			id := fmt.Sprintf("fresh-%d", len(sent)+1)
			sent[id] = time.Now()
			if err := s.sendFresh(id, sent[id]); err != nil {
				return nil, err
			}
		case <-look.C:
			docs, err := s.visible(ctx, "post", byWords("title", "премьеры"))
			if err != nil {
				return nil, err
			}
			for i := range docs {
				if id := docs[i].ID; found[id] == 0 {
					found[id] = time.Since(sent[id])
				}
			}
		}
	}
	return found, nil
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
	s.page.say("Most of it is the wait for OpenSearch's next refresh, every %s (OPENSEARCH_REFRESH_INTERVAL).", millis(refreshInterval))
}

func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
