package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The group sent back by hand, after documents were removed behind the workers' backs.
// What Redis remembers was written to this very index, so they stay away while Redis is
// asked, and come back without. A document that was altered and says that it knows its
// events is not written again in any case; a rebuild mends it.
func TestResetAfterDocumentsWereSpoilt(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	s := newStream(smallPlan(34))
	x.setup()
	places := x.publish(s.records)
	w := x.start()
	x.awaitCommitted(places)
	x.must(s, places, false)
	w.stop()
	var gone []Key
	for key, want := range s.want {
		if want.Visible && len(gone) < 4 {
			gone = append(gone, key)
		}
	}
	if len(gone) < 4 {
		t.Fatalf("only %d visible documents", len(gone))
	}
	altered, gone := gone[0], gone[1:]
	x.tamper(altered, http.MethodPost, "_update", `{"doc":{"slug":"behind the back"}}`)
	for _, key := range gone {
		x.tamper(key, http.MethodDelete, "_doc", "")
	}
	for _, pass := range []struct {
		setting string
		back    bool
	}{{"DEDUP_ENABLED=true", false}, {"DEDUP_ENABLED=false", true}} {
		if err := x.broker.Rewind(t.Context(), x.env["KAFKA_GROUP_ID"]); err != nil {
			t.Fatal(err)
		}
		w = x.with(pass.setting).start()
		x.awaitConsumed(w, len(s.records))
		x.awaitCommitted(places)
		w.stop()
		got := x.snapshot()
		for _, key := range gone {
			_, there := got[key]
			if there != pass.back && (pass.back || !strings.Contains(w.text(), "Redis is down")) { // it may be slow here
				t.Errorf("%s: %v is there: %t; the operations page says otherwise", pass.setting, key, there)
			}
		}
		if slug := got[altered].Source["slug"]; slug != "behind the back" {
			t.Errorf("%s: the altered document has slug %v; the operations page says otherwise", pass.setting, slug)
		}
	}
	x.okRebuild()
	x.must(s, places, true)
}

// tamper changes a document as somebody else would.
func (x *indexer) tamper(key Key, method, what, body string) {
	x.t.Helper()
	index, err := x.cluster.Index(x.t.Context(), Aliases(x.index)[key.Entity])
	if err != nil {
		x.t.Fatal(err)
	}
	path := "/" + index + "/" + what + "/" + url.PathEscape(key.ID) + "?refresh=true"
	if err := x.cluster.Do(x.t.Context(), method, path, body, nil); err != nil {
		x.t.Fatal(err)
	}
}

// An index that is lost with its aliases is made anew by a rebuild alone, while a
// worker waits for it.
func TestRebuildOfALostIndex(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	s := newStream(smallPlan(35))
	x.setup()
	half := len(s.records) / 2
	places := x.publish(s.records[:half])
	w := x.start()
	x.awaitCommitted(places)
	for _, index := range x.live() {
		if err := x.cluster.Do(t.Context(), http.MethodDelete, "/"+index, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	places = append(places, x.publish(s.records[half:])...)
	x.okRebuild()
	x.awaitCommitted(places)
	x.must(s, places, true)
	w.stop()
}

// A topic gets more partitions while a worker runs.
func TestMorePartitions(t *testing.T) {
	t.Parallel()
	x := newIndexer(t).with("KAFKA_OPTIONS=topic.metadata.refresh.interval.ms=1000")
	x.setup()
	w := x.start()
	const topic, more = "post.updated", partitions + 3
	records := []Record{{Topic: topic, Timestamp: time.Now().UnixMilli(), Value: []byte(`{"post_id":1,"version":1,"title":"before"}`)}}
	places := x.publish(records)
	x.awaitCommitted(places)
	if err := x.broker.Grow(t.Context(), x.prefix+topic, more); err != nil {
		t.Fatal(err)
	}
	x.await(func() bool { topics, err := x.broker.Topics(); return err == nil && topics[x.prefix+topic] == more }, func() string { return "the new partitions" })
	late := []Record{
		{Topic: topic, Partition: more - 1, Timestamp: time.Now().UnixMilli(), Value: []byte(`{"post_id":1,"version":2,"title":"after"}`)},
		{Topic: topic, Partition: more - 2, Timestamp: time.Now().UnixMilli(), Value: []byte(`{"post_id":2,"version":1,"title":"another"}`)},
	}
	records, places = append(records, late...), append(places, x.publish(late)...)
	x.awaitCommitted(places)
	x.must(ofRecords(t, records), places, false)
	w.stop()
}
