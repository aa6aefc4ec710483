package e2e

import (
	"fmt"
	"testing"
)

// Records of a backlog are let go once they are joined, and read again from the log
// where OpenSearch refuses the document: their letters are theirs byte for byte all
// the same, and their neighbours are written.
func TestLettersOfABacklogAreReadAgain(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	x = x.with("OPENSEARCH_TEMPLATE_DIR="+strictTemplates(t), "BATCH_MAX_EVENTS=1", "BULK_CONCURRENCY=1", "REJECTION_GUARD=0")
	x.setup()
	const documents, versions = 20, 5
	var records []Record
	for version := range versions {
		for id := range documents {
			r := Record{
				Topic: "post.updated", Partition: int32(id % 3), Timestamp: 1_767_000_000_000 + int64(version), Key: fmt.Append(nil, "key ", id),
				Value:   fmt.Appendf(nil, ` {"version":%d, "post_id":"%d","title":"%d"} `, version, id, version),
				Headers: []Header{{"twice", []byte{0, 255}}, {"twice", nil}, {"", []byte("ё")}},
			}
			if version == 2 && id%4 == 0 {
				r.Value = fmt.Appendf(nil, ` {"version":2, "post_id":"%d","mood":"\u0451"} `, id)
				r.Rule, r.Reason = "a field of its own", "rejected_by_index"
			}
			records = append(records, r)
		}
	}
	places := x.publish(records)
	w := x.start()
	x.awaitCommitted(places)
	w.stop()
	if report := Report("letters", CompareLetters(records, places, x.letters(), false)); report != "" {
		t.Error(report)
	}
	got := x.snapshot()
	for id := range documents {
		if stored := got[Key{"post", fmt.Sprint(id)}]; !stored.Found || !Same(stored.Source["title"], "4") || stored.Source["mood"] != nil {
			t.Errorf("post %d: %s", id, show(stored))
		}
	}
}
