package e2e

import (
	"math/rand/v2"
	"testing"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
)

// The program's decoder and merge rule against the reference, without services:
// where the end-to-end runs differ, this says whether these two are to blame.
func TestDecoderAndJoinAgreeWithTheReference(t *testing.T) {
	const prefix = "some-"
	for seed := range uint64(3) {
		records := Generate(smallPlan(seed + 20))
		mux := handlers.NewMux(prefix)
		var events []Event
		var changes []handlers.Change
		for i, r := range records {
			at := record.Record{
				Partition: record.Partition{Topic: prefix + r.Topic, ID: r.Partition}, Offset: int64(i),
				Timestamp: r.Timestamp, Key: r.Key, Value: r.Value,
			}
			_, change, rejection := mux.Decode(&at)
			reason := ""
			if rejection != nil {
				reason = string(rejection.Reason)
			}
			if reason != r.Reason {
				t.Errorf("rule %q: want reason %q, got %v\n%.600s", r.Rule, r.Reason, rejection, r.Value)
			}
			if ev, err := Read(r); err == nil && rejection == nil {
				events, changes = append(events, ev), append(changes, change)
			}
		}
		rng := rand.New(rand.NewPCG(seed, 1))
		rng.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
		if report := Report("documents", Compare(Fold(events), joined(t, changes))); report != "" {
			t.Error(report)
		}
	}
}

// joined is what would stand in the index after the changes.
func joined(t *testing.T, changes []handlers.Change) Snapshot {
	t.Helper()
	states := make(map[document.Key]document.State)
	for _, c := range changes {
		states[c.Key] = document.Join(states[c.Key], c.State.Unpack())
	}
	snapshot := make(Snapshot, len(states))
	for k, s := range states {
		source, ok := decode(t, string(s.AppendSource(nil))).(map[string]any)
		if !ok {
			t.Fatalf("%s: no object", k)
		}
		snapshot[Key{string(k.Entity), k.ID}] = Stored{Source: source, Found: s.Visible()}
	}
	return snapshot
}
