package record

import (
	"encoding/json"
	"testing"
)

func TestPositionsAsJSON(t *testing.T) {
	at := Position{Partition: Partition{Topic: "post.created", ID: 3}, TopicID: "abc", Next: 1 << 60}
	text, err := json.Marshal(at)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"topic":"post.created","partition":3,"topic_id":"abc","next":1152921504606846976}`; string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	var back Position
	if err := json.Unmarshal(text, &back); err != nil || back != at {
		t.Errorf("got %v, %v, want %v", back, err, at)
	}
	if err := json.Unmarshal([]byte(`{"next":"x"}`), &back); err == nil {
		t.Error("took a text as an offset")
	}
}
