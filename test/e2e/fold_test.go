package e2e

import (
	"context"
	"testing"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/document"
	diskfold "github.com/search-indexer/search-indexer/internal/fold"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
	kafkalog "github.com/search-indexer/search-indexer/internal/stream"
)

// What a rebuild would write, read from a real log and joined on disk, against the
// reference.
func TestFoldOfTheLogAgreesWithTheReference(t *testing.T) {
	x := newIndexer(t)
	x.setup()
	plan := smallPlan(77)
	plan.Records = 5_000
	records := Generate(plan)
	x.publish(records)
	var events []Event
	bad := int64(0)
	for _, r := range records {
		if ev, err := Read(r); err == nil {
			events = append(events, ev)
		} else {
			bad++
		}
	}

	cfg := kafkalog.Config{
		Brokers: []string{x.broker.Addresses}, GroupID: x.env["KAFKA_GROUP_ID"], Topics: Topics, TopicPrefix: x.prefix,
		SecurityProtocol: "PLAINTEXT", DLQTopic: x.env["KAFKA_DLQ_TOPIC"],
	}
	reader, err := kafkalog.NewReader(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	f, err := diskfold.Open(diskfold.Config{Dir: t.TempDir(), Memory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	ranges, err := reader.Ranges(ctx, cfg.FullTopics())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[record.Partition]bool{}
	for range 2 { // joining all of it again changes nothing
		err = f.Read(ctx, reader, ranges, handlers.NewMux(x.prefix), diskfold.Options{
			Bad: func(r *record.Record, _ *handlers.Rejection) { seen[r.Partition] = true },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if s := f.Stats(); s.Records != 2*int64(len(records)) || s.Bad != 2*bad || s.Events != s.Records-s.Bad || len(seen) == 0 {
		t.Errorf("%d records, %d of them bad: %+v", len(records), bad, s)
	}
	if report := Report("documents", Compare(Fold(events), folded(t, f))); report != "" {
		t.Error(report)
	}
}

// folded is what would stand in the index after writing all of f.
func folded(t *testing.T, f *diskfold.Fold) Snapshot {
	t.Helper()
	snapshot := Snapshot{}
	for _, entity := range []document.Entity{document.Post, document.Artist} {
		err := f.Each(t.Context(), entity, func(k document.Key, s document.State) error {
			source, ok := decode(t, string(s.AppendSource(nil))).(map[string]any)
			if !ok {
				t.Fatalf("%s: no object", k)
			}
			snapshot[Key{string(k.Entity), k.ID}] = Stored{Source: source, Found: s.Visible()}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return snapshot
}
