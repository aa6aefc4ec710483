package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The group sent back by hand, after documents were removed behind the workers' backs.
// What Redis remembers was written to this very index, so it stays away while Redis is
// asked, and comes back without.
func TestResetAfterDocumentsWereRemoved(t *testing.T) {
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
		if want.Visible && len(gone) < 3 {
			gone = append(gone, key)
			x.remove(key)
		}
	}
	if len(gone) < 3 {
		t.Fatalf("only %d visible documents", len(gone))
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
		if pass.back {
			x.must(s, places, true)
			continue
		}
		got := x.snapshot()
		for _, key := range gone {
			if _, there := got[key]; there && !strings.Contains(w.text(), "Redis is down") { // it may be slow here
				t.Errorf("%v is back: the operations page says otherwise", key)
			}
		}
	}
}

// remove deletes a document as somebody else would.
func (x *indexer) remove(key Key) {
	x.t.Helper()
	index, err := x.cluster.Index(x.t.Context(), Aliases(x.index)[key.Entity])
	if err != nil {
		x.t.Fatal(err)
	}
	if err := x.cluster.Do(x.t.Context(), http.MethodDelete, "/"+index+"/_doc/"+url.PathEscape(key.ID)+"?refresh=true", "", nil); err != nil {
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
