package stream

import (
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
)

// gapsOf returns "missing" or "note" and what of each gap.
func gapsOf(t *testing.T, r *Reader, topics ...string) []string {
	t.Helper()
	gaps, err := r.Completeness(t.Context(), topics)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, g := range gaps {
		kind := "note"
		if g.Missing {
			kind = "missing"
		}
		if g.Remedy == "" {
			t.Errorf("%s: no way out", g)
		}
		words = append(words, kind+": "+g.What)
	}
	return words
}

func TestCompletenessNamesWhatTheLogDoesNotHold(t *testing.T) {
	cfg := testConfig(t)
	whole := makeTopics(t, cfg, 2)[0]
	admin, r := testAdmin(t, cfg), testReader(t, cfg)
	specs := []TopicSpec{
		{Name: whole + ".compacted", Partitions: 1, ReplicationFactor: 1, Compact: true},
		{Name: whole + ".bounded", Partitions: 1, ReplicationFactor: 1, Retention: time.Hour},
	}
	if _, _, err := admin.CreateTopics(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
	publish(t, cfg, record.Partition{Topic: whole}, "a", "b")
	if _, err := admin.awaitSizes(t.Context(), []string{specs[0].Name, specs[1].Name}); err != nil {
		t.Fatal(err)
	}
	if got := gapsOf(t, r, whole, "no-such-topic-"+cfg.GroupID); len(got) > 0 {
		t.Errorf("of a whole log: %v", got)
	}
	cutLog(t, cfg, record.Partition{Topic: whole}, 1)
	got := gapsOf(t, r, whole, specs[0].Name, specs[1].Name)
	want := []string{
		"missing: the log of " + whole + "/0 begins at offset 1",
		"note: topic " + specs[1].Name + " keeps events only for 1h0m0s",
		"missing: topic " + specs[0].Name + " is compacted",
	}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}
