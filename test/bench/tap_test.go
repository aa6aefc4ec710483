package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTapNotesWhatIsAcknowledged(t *testing.T) {
	answer := `{"items":[{"update":{"status":201}},{"create":{"status":201}}]}`
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	defer upstream.Close()
	tap, err := newTap(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer tap.Close()
	events := newTimeline()
	tap.follow(events)
	events.publish("1", true)
	events.publish("2", false)

	post := func(id string) {
		t.Helper()
		body := `{"update":{"_index":"posts-write","_id":"` + id + `"}}` + "\n{}\n" + `{"create":{"_index":"posts-write","_id":"another"}}` + "\n{}\n"
		resp, err := http.Post(tap.URL+"/_bulk", "application/x-ndjson", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err != nil || string(text) != answer {
			t.Fatalf("%s, %v", text, err)
		}
	}
	left := func(wantWrites, wantSearches int) {
		t.Helper()
		if writes, searches := events.left(); writes != wantWrites || searches != wantSearches {
			t.Errorf("%d are not acknowledged and %d not found, want %d and %d", writes, searches, wantWrites, wantSearches)
		}
	}
	post("1")
	left(1, 1)
	answer = `{"items":[{"update":{"error":{"type":"x"}}}]}`
	post("2")
	left(1, 1)
	events.find("1", events.published["1"])
	left(1, 0)
}
