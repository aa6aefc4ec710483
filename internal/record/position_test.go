package record_test

import (
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/search-indexer/search-indexer/internal/record"
)

// TestPositionIsKept: positions lie in indices, for later releases to read.
func TestPositionIsKept(t *testing.T) {
	want := record.Position{Partition: record.Partition{Topic: "post.created", ID: 3}, TopicID: "x", Next: 7}
	const text = `{"topic":"post.created","partition":3,"topic_id":"x","next":7}`
	if got, err := json.Marshal(want); err != nil || string(got) != text {
		t.Errorf("%s %v, want %s", got, err, text)
	}
	var got record.Position
	if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
}
