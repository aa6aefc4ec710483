package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// Three ways in which a memory of events already written loses one if its key is
// naive.

// The same event_id with other content, after the first was written.
func TestSameEventIDWithOtherContent(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	x.setup()
	w := x.start()
	var records []Record
	var places []Place
	for i, data := range []string{
		`"version":1,"data":{"post_id":"a","title":"first"}`,
		`"version":2,"data":{"post_id":"a","title":"second"}`, // another version
		`"version":2,"data":{"post_id":"b","title":"other"}`,  // another entity
		`"version":2,"data":{"post_id":"a","slug":"s"}`,       // another field; order decided by time
	} {
		r := Record{
			Topic: "post.updated", Timestamp: time.Now().UnixMilli() + int64(i), Key: []byte("a"),
			Value: []byte(`{"event_id":"the-same",` + data + `}`),
		}
		records = append(records, r)
		places = append(places, x.publish([]Record{r})...)
		x.awaitCommitted(places)
	}
	x.must(ofRecords(t, records), places, false)
	w.stop()
}

// A topic deleted and made again: the same places hold other events.
func TestTopicMadeAgain(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	x.setup()
	before, after := Generate(smallPlan(31)), Generate(smallPlan(32))
	places := x.publish(before)
	w := x.start()
	x.awaitCommitted(places)
	w.stop()

	topics := make([]string, len(Topics))
	for i, topic := range Topics {
		topics[i] = x.prefix + topic
	}
	if err := x.broker.Delete(t.Context(), topics...); err != nil {
		t.Fatal(err)
	}
	x.await(func() bool { return x.broker.Create(t.Context(), partitions, topics...) == nil }, func() string { return "the topics to be made again" })
	x.await(func() bool {
		empty, err := x.broker.Empty(t.Context(), partitions, topics...)
		return err == nil && empty
	}, func() string { return "the topics made again to be empty" })
	again := x.publish(after)
	w = x.start()
	x.awaitConsumed(w, len(after))
	x.awaitCommitted(again)
	both := ofRecords(t, append(before, after...))
	if report := Report("documents", Compare(both.want, x.snapshot())); report != "" {
		t.Error(report)
	}
	if want, got := len(bads(before))+len(bads(after)), len(x.letters()); got != want {
		t.Errorf("want %d letters, got %d", want, got)
	}
	w.stop()
}

// An index re-created, empty, under its own name, and the group sent back: what
// Redis remembers is of another index.
func TestIndexMadeAgain(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	s := newStream(smallPlan(33))
	x.setup()
	places := x.publish(s.records)
	w := x.start()
	x.awaitCommitted(places)
	x.must(s, places, false)
	w.stop()
	for _, alias := range Aliases(x.index) {
		x.makeAgain(alias)
	}
	if err := x.broker.Rewind(t.Context(), x.env["KAFKA_GROUP_ID"]); err != nil {
		t.Fatal(err)
	}
	w = x.start()
	x.awaitConsumed(w, len(s.records))
	x.awaitCommitted(places)
	x.must(s, places, true)
	w.stop()
}

// makeAgain deletes the index behind an alias and creates it anew, with the same
// name, mappings and aliases.
func (x *indexer) makeAgain(alias string) {
	x.t.Helper()
	ctx := x.t.Context()
	index, err := x.cluster.Index(ctx, alias)
	if err != nil {
		x.t.Fatal(err)
	}
	var was map[string]struct {
		Aliases  json.RawMessage `json:"aliases"`
		Mappings json.RawMessage `json:"mappings"`
	}
	if err := x.cluster.Do(ctx, http.MethodGet, "/"+index, "", &was); err != nil {
		x.t.Fatal(err)
	}
	if err := x.cluster.Do(ctx, http.MethodDelete, "/"+index, "", nil); err != nil {
		x.t.Fatal(err)
	}
	body := fmt.Sprintf(`{"aliases":%s,"mappings":%s}`, was[index].Aliases, was[index].Mappings)
	if err := x.cluster.Do(ctx, http.MethodPut, "/"+index, body, nil); err != nil {
		x.t.Fatal(err)
	}
}

// ofRecords is the stream of records that are not generated, or not all at once.
// Their labels come from the reference.
func ofRecords(t *testing.T, records []Record) *stream {
	t.Helper()
	s := &stream{records: records}
	var events []Event
	for _, r := range records {
		if ev, err := Read(r); err == nil {
			events = append(events, ev)
		} else if r.Reason == "" {
			t.Fatalf("%s: %v", r.Value, err)
		}
	}
	s.want = Fold(events)
	return s
}

func bads(records []Record) []Record {
	var bad []Record
	for _, r := range records {
		if r.Reason != "" {
			bad = append(bad, r)
		}
	}
	return bad
}
