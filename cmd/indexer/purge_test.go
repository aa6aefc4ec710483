package main

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

func (s *site) purged(args ...string) (r purgeReport, removed int) {
	s.Helper()
	if err := json.Unmarshal([]byte(s.must(append([]string{"purge", "--json"}, args...)...)), &r); err != nil {
		s.Fatal(err)
	}
	for _, c := range r.Counts {
		removed += c.Removed
	}
	return r, removed
}

func TestPurge(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(`{"event_type":"post.created","data":{"post_id":"1","title":"t"}}`, `{"event_type":"post.deleted","data":{"post_id":"1"}}`,
		`{"event_type":"post.created","data":{"post_id":"2","title":"t"}}`)
	worker := s.run()
	s.awaitDone()
	worker.stop()

	if r, removed := s.purged(); removed != 0 || r.Unread != nil || time.Since(r.Before) < 719*time.Hour {
		t.Errorf("within TOMBSTONE_RETENTION: %+v", r)
	}
	if r, removed := s.purged("--older-than", "0s", "--dry-run"); removed != 0 || r.Counts[0].Found != 1 {
		t.Errorf("dry run: %+v", r)
	}

	// An older event may be among what is unread.
	s.publish(`{"event_type":"post.updated","data":{"post_id":"2","title":"u"}}`)
	if r, _ := s.purged("--older-than", "1m"); r.Unread == nil || !r.Before.Equal(r.Unread.At.Add(-time.Minute)) {
		t.Errorf("with an unread record: %+v", r)
	}
	worker = s.run()
	s.awaitDone()
	worker.stop()

	got := indexer(t, s.env, "", "purge", "--older-than", "0s")
	got.want(t, exitDone, "TOMBSTONE_RETENTION is 720h")
	if !strings.Contains(got.stdout, ": 1 tombstones removed") {
		t.Errorf("printed %s", got.stdout)
	}
	if r, _ := s.purged("--older-than", "0s"); r.Counts[0].Found != 0 {
		t.Errorf("once more: %+v", r)
	}
}

func TestPurgeMisuse(t *testing.T) {
	for given, says := range map[string]string{"yesterday": "use a duration", "-1h": "use a duration", "2999-01-01": "in the future"} {
		indexer(t, nil, "", "purge", "--older-than="+given).want(t, exitMisuse, says, "--help")
	}
}
