package forget

import (
	"testing"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/record"
)

func TestSearch(t *testing.T) {
	for name, tt := range map[string]struct {
		id, topic, key, value string
		found                 bool
		what                  string
		entity                document.Entity // empty: a person has to tell
	}{
		"event":                      {"42", "x-post.updated", "", `{"post_id":"42","version":2}`, true, "post.updated", document.Post},
		"event with number":          {"42", "x-post.updated", "", `{"post_id":42}`, true, "post.updated", document.Post},
		"id in escapes":              {"42", "x-post.updated", "", `{"post_id":"\u00342"}`, true, "post.updated", document.Post},
		"id with a quote":            {`a"b`, "x-post.deleted", "", `{"post_id":"a\"b"}`, true, "post.deleted", document.Post},
		"type in the event":          {"42", "any", "", `{"event_type":"post.created","data":{"post_id":"42"}}`, true, "post.created", document.Post},
		"other entity":               {"42", "x-artist.updated", "", `{"artist_id":"42"}`, false, "", ""},
		"other id":                   {"42", "x-post.updated", "", `{"post_id":"421"}`, false, "", ""},
		"mentioned by a good one":    {"42", "x-post.updated", "42", `{"post_id":"7","author_id":"42"}`, false, "", ""},
		"bad event":                  {"42", "x-post.updated", "", `{"post_id":"42","version":"two"}`, true, "invalid_version", document.Post},
		"bad event of another":       {"42", "x-post.updated", "", `{"post_id":"421","version":"two"}`, false, "", ""},
		"bad event that mentions it": {"42", "x-post.updated", "", `{"post_id":"7","author_id":"42","version":"two"}`, false, "", ""},
		"broken JSON":                {"42", "x-post.updated", "", `{"post_id":"42","title":"`, true, "invalid_json", ""},
		"broken JSON, key":           {"42", "x-post.updated", "42", `{"title":"`, true, "invalid_json", ""},
		"broken, id with quote":      {`a"b`, "x-post.updated", "", `{"post_id":"a\"b","title":"`, true, "invalid_json", ""},
		"no value, key":              {"42", "x-post.updated", "42", ``, true, "empty_value", ""},
		"part of a longer word":      {"42", "x-post.updated", "1-42", `{"post_id":"42a" "142" 42_`, false, "", ""},
		"second time as a word":      {"42", "x-post.updated", "", `{"title":"421 42"`, true, "invalid_json", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewSearch("x-", tt.id, document.Post)
			place := record.Partition{Topic: tt.topic, ID: 1}
			r := record.Record{Partition: place, Offset: 9, Timestamp: 1000, Key: []byte(tt.key), Value: []byte(tt.value)}
			want := Place{Partition: place, Offset: 9, Timestamp: 1000, What: tt.what, Entity: tt.entity}
			if got, found := s.Event(&r); found != tt.found || found && got != want {
				t.Errorf("event: %t %+v, want %t %+v", found, got, tt.found, want)
			}

			letter := record.Record{Partition: record.Partition{Topic: "letters", ID: 3}, Offset: 5, Timestamp: 2000, Key: r.Key, Value: r.Value}
			for _, h := range [][2]string{
				{dlq.HeaderReason, "rejected_by_index"},
				{dlq.HeaderError, "words"},
				{dlq.HeaderTopic, tt.topic},
				{dlq.HeaderPartition, "1"},
				{dlq.HeaderOffset, "9"},
				{dlq.HeaderTimestamp, "1000"},
				{dlq.HeaderEventID, "e"},
				{dlq.HeaderCorrelationID, ""},
				{dlq.HeaderFailedAt, "2026-03-01T00:00:00Z"},
			} {
				letter.Headers = append(letter.Headers, record.Header{Key: h[0], Value: []byte(h[1])})
			}
			want = Place{Partition: letter.Partition, Offset: 5, Timestamp: 2000, What: "rejected_by_index", Entity: tt.entity}
			if got, found := s.Letter(&letter); found != tt.found || found && got != want {
				t.Errorf("letter: %t %+v, want %t %+v", found, got, tt.found, want)
			}
		})
	}
}

func TestSearchOfBothEntities(t *testing.T) {
	s := NewSearch("", "42", document.Post, document.Artist)
	for topic, entity := range map[string]document.Entity{"post.created": document.Post, "artist.created": document.Artist} {
		r := record.Record{Partition: record.Partition{Topic: topic}, Value: []byte(`{"post_id":"42","artist_id":"42"}`)}
		if got, found := s.Event(&r); !found || got.Entity != entity {
			t.Errorf("%s: %t %+v", topic, found, got)
		}
	}
}
