package purge

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
	"github.com/search-indexer/search-indexer/test/stack"
)

func TestBefore(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		unread *Unread
		want   time.Time
	}{
		"all is read":           {nil, now.Add(-time.Hour)},
		"an hour behind":        {&Unread{At: now.Add(-time.Hour)}, now.Add(-2 * time.Hour)},
		"a publisher's clock":   {&Unread{At: now.Add(time.Hour)}, now.Add(-time.Hour)},
		"without any timestamp": {&Unread{At: time.UnixMilli(0)}, time.UnixMilli(0).Add(-time.Hour)},
	} {
		if got := Before(now, time.Hour, tc.unread); !got.Equal(tc.want) {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func newClient(t *testing.T) *index.Client {
	t.Helper()
	client, err := index.NewClient(index.Config{
		URLs: strings.Split(stack.OpenSearch(t), ","), IndexPrefix: stack.Name(t) + "-", Shards: 2,
		RefreshInterval: time.Second, TombstoneRetention: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := client.Setup(t.Context()); err != nil || len(report.Problems) > 0 {
		t.Fatalf("setup: %v %v", err, report.Problems)
	}
	return client
}

func post(id string) document.Key   { return document.Key{Entity: document.Post, ID: id} }
func artist(id string) document.Key { return document.Key{Entity: document.Artist, ID: id} }

func deleted(key document.Key, version, at int64) index.Action {
	return index.Action{Key: key, State: document.Delete(document.DeleteOrder(version, version), at).Pack()}
}

func created(key document.Key, version int64) index.Action {
	fields := []document.Field{{Name: "title", Value: jsontext.Value(`"t"`)}}
	return index.Action{Key: key, State: document.Upsert(document.UpsertOrder(version, version, 7), fields).Pack()}
}

func write(t *testing.T, client *index.Client, actions ...index.Action) {
	t.Helper()
	for i, o := range index.NewWriter(client).Write(t.Context(), "", actions) {
		if o.Result != index.Written && o.Result != index.Deleted {
			t.Fatalf("%s: %+v", actions[i].Key, o)
		}
	}
}

// left returns the ids that the write alias of an entity leads to.
func left(t *testing.T, client *index.Client, entity document.Entity) map[string]bool {
	t.Helper()
	targets, err := index.NewCatalog(client).Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	err = client.Scan(t.Context(), targets[entity].Index, entity, index.ScanOptions{Unread: true}, func(page []index.Stored) error {
		for _, d := range page {
			ids[d.ID] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func tally(counts []Count) (found, removed, kept int) {
	for _, c := range counts {
		found, removed, kept = found+c.Found, removed+c.Removed, kept+c.Kept
	}
	return found, removed, kept
}

func TestRun(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	const bound = 1_000_000
	actions := []index.Action{
		deleted(post("young"), 1, bound), deleted(artist("old"), 1, bound-1), created(post("live"), 1),
		created(post("restored"), 3), deleted(post("restored"), 2, 5),
	}
	want := map[string]bool{"young": true, "live": true, "restored": true}
	for i := range 1200 { // more than a page of each shard
		actions = append(actions, deleted(post(fmt.Sprintf("old %d", i)), 1, int64(i)))
	}
	write(t, client, actions[:4]...)
	write(t, client, actions[4:]...)

	request := Request{Before: time.UnixMilli(bound), DryRun: true}
	counts, err := Run(t.Context(), client, request)
	if found, removed, _ := tally(counts); err != nil || found != 1201 || removed != 0 || len(left(t, client, document.Post)) != 1203 {
		t.Fatalf("dry run: %+v, %v", counts, err)
	}
	told := 0
	request.DryRun, request.Progress = false, func(c Count) { told = max(told, c.Removed) }
	counts, err = Run(t.Context(), client, request)
	if found, removed, kept := tally(counts); err != nil || found != 1201 || removed != 1201 || kept != 0 || told != 1200 {
		t.Errorf("%+v, told of %d: %v", counts, told, err)
	}
	if diff := cmp.Diff(want, left(t, client, document.Post)); diff != "" {
		t.Error(diff)
	}
	if artists := left(t, client, document.Artist); len(artists) != 0 {
		t.Errorf("artists left: %v", artists)
	}
	counts, err = Run(t.Context(), client, request)
	if found, _, _ := tally(counts); err != nil || found != 0 {
		t.Errorf("once more: %+v, %v", counts, err)
	}
}

// TestWhatIsWrittenMeanwhileStays: between the look at a tombstone and its removal
// anything may happen to the document.
func TestWhatIsWrittenMeanwhileStays(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	const bound = 1_000_000
	write(t, client, deleted(post("restored"), 1, 5), deleted(post("deleted anew"), 1, 5), deleted(post("gone"), 1, 5),
		deleted(post("older delete"), 2, 5), deleted(post("still"), 1, 5))
	targets, err := index.NewCatalog(client).Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := targets[document.Post].Index
	p := pass{client: client, request: Request{Before: time.UnixMilli(bound)}, Count: Count{Entity: document.Post, Index: name}}
	var seen []index.Stored
	err = client.Scan(t.Context(), name, document.Post, index.ScanOptions{Tombstones: time.UnixMilli(bound)}, func(page []index.Stored) error {
		seen = append(seen, page...)
		return nil
	})
	if err != nil || len(seen) != 5 {
		t.Fatalf("%d tombstones, %v", len(seen), err)
	}
	for _, d := range seen {
		if d.ID == "gone" { // as by a request whose answer was lost
			client.Amend(t.Context(), name, []index.Amendment{{Key: d.Key, Kind: index.Remove, SeqNo: d.SeqNo, PrimaryTerm: d.PrimaryTerm}})
		}
	}
	write(t, client, created(post("restored"), 2), deleted(post("deleted anew"), 2, bound), deleted(post("older delete"), 1, 7))
	if err := p.take(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	want := Count{Entity: document.Post, Index: name, Found: 5, Removed: 3, Kept: 2}
	if diff := cmp.Diff(want, p.Count); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]bool{"restored": true, "deleted anew": true}, left(t, client, document.Post)); diff != "" {
		t.Error(diff)
	}
}

func TestRunWithoutAnIndex(t *testing.T) {
	t.Parallel()
	client, err := index.NewClient(index.Config{URLs: strings.Split(stack.OpenSearch(t), ","), IndexPrefix: stack.Name(t) + "-"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), client, Request{Before: time.Now()}); err == nil || !strings.Contains(err.Error(), "posts") {
		t.Errorf("got %v", err)
	}
}

func TestFirstUnread(t *testing.T) {
	t.Parallel()
	name := stack.Name(t)
	cfg := stream.Config{
		Brokers: strings.Split(stack.Kafka(t), ","), GroupID: name, TopicPrefix: name, Topics: []string{"a", "missing"},
		DLQTopic: name + "dlq", SecurityProtocol: "PLAINTEXT",
	}
	admin, err := stream.NewAdmin(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	reader, err := stream.NewReader(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	topic := cfg.FullTopics()[0]
	if _, _, err := admin.CreateTopics(t.Context(), []stream.TopicSpec{{Name: topic, Partitions: 3, ReplicationFactor: 1, Retention: -1}}); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	publish(t, cfg, topic, 0, at, at.Add(2*time.Minute), at.Add(3*time.Minute))
	publish(t, cfg, topic, 1, at.Add(time.Minute), at.Add(time.Second))

	check := func(want *Unread) {
		t.Helper()
		got, err := FirstUnread(t.Context(), admin, reader, cfg)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	commit := func(partition int32, next int64) {
		t.Helper()
		err := admin.SetOffsets(t.Context(), cfg.GroupID, []stream.NextOffset{{Partition: record.Partition{Topic: topic, ID: partition}, Offset: next}})
		if err != nil {
			t.Fatal(err)
		}
	}
	check(&Unread{Topic: topic, Partition: 0, Offset: 0, At: at.UTC()})
	commit(0, 1)
	check(&Unread{Topic: topic, Partition: 1, Offset: 0, At: at.Add(time.Minute).UTC()})
	commit(1, 2)
	check(&Unread{Topic: topic, Partition: 0, Offset: 1, At: at.Add(2 * time.Minute).UTC()})
	commit(0, 3)
	check(nil)
}

func publish(t *testing.T, cfg stream.Config, topic string, partition int32, times ...time.Time) {
	t.Helper()
	producer, err := stream.NewProducer(cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = producer.Close() }()
	for _, at := range times {
		r := &record.Record{Partition: record.Partition{Topic: topic, ID: partition}, Timestamp: at.UnixMilli(), Value: []byte("{}")}
		if err := producer.Send(context.WithoutCancel(t.Context()), r, func(_ int32, _ int64, err error) {
			if err != nil {
				t.Errorf("publish: %v", err)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := producer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}
