package stream

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/record"
)

func offsetsOf(t *testing.T, cfg Config) []PartitionStatus {
	t.Helper()
	all, err := testAdmin(t, cfg).GroupLag(t.Context(), cfg.GroupID, cfg.FullTopics())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What an operator sets counts for a worker as what a worker has committed, the id
// of the topic included; while a worker is there, the brokers refuse it.
func TestSetOffsets(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		topic := makeTopics(t, cfg, 1)[0]
		at := record.Partition{Topic: topic}
		publish(t, cfg, at, "a", "b", "c")
		admin := testAdmin(t, cfg)
		if members, err := admin.Members(t.Context(), cfg.GroupID); err != nil || len(members) > 0 {
			t.Errorf("members of a group that never was: %v %v", members, err)
		}
		next := []NextOffset{{Partition: at, TopicID: offsetsOf(t, cfg)[0].TopicID, Offset: 1}}
		if err := admin.SetOffsets(t.Context(), cfg.GroupID, next); err != nil {
			t.Fatalf("set the offsets of a group that never was: %v", err)
		}

		m := join(t, cfg)
		serve(t, "two records", m.hasRead(2), m)
		if got := strings.Join(m.values(), ""); got != "bc" {
			t.Errorf("read %q, want what is behind the offset that was set", got)
		}
		members, err := admin.Members(t.Context(), cfg.GroupID)
		if err != nil || len(members) != 1 || !strings.HasPrefix(members[0], "search-indexer at ") {
			t.Errorf("members %v: %v", members, err)
		}
		before := offsetsOf(t, cfg)[0].Committed
		next[0].Offset = 0
		if err := admin.SetOffsets(t.Context(), cfg.GroupID, next); !errors.Is(err, ErrGroupActive) {
			t.Errorf("set the offsets of a group with a member: %v", err)
		}
		if now := offsetsOf(t, cfg)[0].Committed; now != before {
			t.Errorf("the refused offset was set: %d, was %d", now, before)
		}
		m.leave()
		if err := admin.SetOffsets(t.Context(), cfg.GroupID, next); err != nil {
			t.Errorf("set the offsets once the member has left: %v", err)
		}

		// Beside another topic's id an offset means nothing.
		remake(t, cfg, 1)
		publish(t, cfg, at, "d", "e")
		next[0].Offset = 1
		if err := admin.SetOffsets(t.Context(), cfg.GroupID, next); err != nil {
			t.Fatal(err)
		}
		if s := offsetsOf(t, cfg)[0]; s.Committed != 1 || s.Start != 0 || s.TopicID == next[0].TopicID {
			t.Errorf("want a start from the new topic's beginning: %+v", s)
		}
	})
}

func TestOffsetsAt(t *testing.T) {
	cfg := testConfig(t)
	topic := makeTopics(t, cfg, 2)[0]
	at := record.Partition{Topic: topic}
	noon := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := range 3 {
		publishRecords(t, cfg, &record.Record{Partition: at, Value: []byte("v"), Timestamp: noon.Add(time.Duration(i) * time.Minute).UnixMilli()})
	}
	for name, tt := range map[string]struct {
		time time.Time
		want int64
	}{
		"before all": {noon.Add(-time.Hour), 0},
		"exactly":    {noon.Add(time.Minute), 1},
		"between":    {noon.Add(90 * time.Second), 2},
		"after all":  {noon.Add(time.Hour), 3},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := testAdmin(t, cfg).OffsetsAt(t.Context(), offsetsOf(t, cfg), tt.time)
			empty := record.Partition{Topic: topic, ID: 1}
			if err != nil || len(got) != 2 || got[at] != tt.want || got[empty] != 0 {
				t.Errorf("got %v, want %d and 0: %v", got, tt.want, err)
			}
		})
	}
}

func TestRetention(t *testing.T) {
	cfg := testConfig(t)
	admin := testAdmin(t, cfg)
	for name, tt := range map[string]struct {
		spec TopicSpec
		want string
	}{
		"for ever":  {TopicSpec{Retention: -1}, "for ever"},
		"30 days":   {TopicSpec{Retention: 30 * 24 * time.Hour}, "for 720h0m0s"},
		"compacted": {TopicSpec{Compact: true}, "until a later record has the same key"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.spec.Name, tt.spec.Partitions, tt.spec.ReplicationFactor = cfg.TopicPrefix+strings.ReplaceAll(name, " ", "-"), 1, 1
			if _, _, err := admin.CreateTopics(t.Context(), []TopicSpec{tt.spec}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the topic's settings", func() bool {
				got, err := admin.Retention(t.Context(), tt.spec.Name)
				return err == nil && got.String() == tt.want
			})
		})
	}
}
