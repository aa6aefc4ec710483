package dedup

import (
	"testing"

	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/test/stack"
)

// entry returns what is remembered of an event at one place of the log, once the
// index with the UUID space has taken it.
func entry(t *testing.T, space, topic string, offset int64, event string) Entry {
	t.Helper()
	r := &record.Record{Partition: record.Partition{Topic: topic}, Offset: offset, Timestamp: 1_800_000_000_000, Value: []byte(event)}
	_, change, rejection := handlers.NewMux("").Decode(r)
	if rejection != nil {
		t.Fatal(rejection)
	}
	return Entry{Space: space, Digest: change.Digest, Time: change.Time()}
}

// Each case is a way in which a simpler key (event_id; topic, partition and
// offset; the name of the index) would take an event for one that was written,
// and lose it.
func TestNaiveKeysWouldLoseEvents(t *testing.T) {
	memory, _ := open(t, stack.Redis(t))
	uuid := stack.Name(t)
	const (
		created = `{"event_id":"e-1","event_type":"post.created","timestamp":"2026-01-01T00:00:00Z","version":1,"data":{"post_id":"1","title":"A"}}`
		deleted = `{"event_id":"e-1","event_type":"post.deleted","timestamp":"2026-01-01T00:00:00Z","version":1,"data":{"post_id":"1","title":"A"}}`
	)
	written := entry(t, uuid, "post.created", 5, created)
	memory.Mark(t.Context(), []Entry{written})

	for name, c := range map[string]struct {
		space, topic string
		offset       int64
		event        string
	}{
		"event_id used again for other content": {uuid, "post.created", 6, `{"event_id":"e-1","event_type":"post.created","timestamp":"2026-01-01T00:00:00Z","version":1,"data":{"post_id":"1","title":"B"}}`},
		"event_id used again for a version":     {uuid, "post.created", 6, `{"event_id":"e-1","event_type":"post.created","timestamp":"2026-01-01T00:00:00Z","version":2,"data":{"post_id":"1","title":"A"}}`},
		"event_id used again for a time":        {uuid, "post.created", 6, `{"event_id":"e-1","event_type":"post.created","timestamp":"2026-01-01T00:00:00.000001Z","version":1,"data":{"post_id":"1","title":"A"}}`},
		"event_id used again for an entity":     {uuid, "artist.created", 6, `{"event_id":"e-1","event_type":"artist.created","timestamp":"2026-01-01T00:00:00Z","version":1,"data":{"artist_id":"1","name":"A"}}`},
		"event_id used again for a delete":      {uuid, "post.deleted", 6, deleted},
		"topic made again: same offset":         {uuid, "post.created", 5, `{"event_id":"e-2","event_type":"post.created","timestamp":"2026-01-02T00:00:00Z","version":1,"data":{"post_id":"2","title":"A"}}`},
		"index made again under its name":       {uuid + "-new", "post.created", 5, created},
	} {
		t.Run(name, func(t *testing.T) {
			wantSeen(t, memory, []Entry{entry(t, c.space, c.topic, c.offset, c.event)}, []bool{false})
		})
	}

	t.Run("the same event from elsewhere is a repeat", func(t *testing.T) {
		wantSeen(t, memory, []Entry{entry(t, uuid, "copy.of.post.created", 77, created)}, []bool{true})
	})
}
