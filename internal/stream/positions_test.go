package stream

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/record"
)

func TestWhatPositionsCover(t *testing.T) {
	at := func(id int32) record.Partition { return record.Partition{Topic: "post.created", ID: id} }
	present := []Range{
		{Partition: at(0), TopicID: "now", From: 2, To: 9},
		{Partition: at(1), TopicID: "now", From: 2, To: 9},
		{Partition: at(2), TopicID: "now", From: 2, To: 9},
		{Partition: at(3), TopicID: "now", From: 2, To: 9},
		{Partition: at(4), TopicID: "now", From: 2, To: 9},
		{Partition: at(5), TopicID: "now", From: 2, To: 9},
	}
	positions := []record.Position{
		{Partition: at(0), TopicID: "now", Next: 5},
		{Partition: at(1), TopicID: "before", Next: 5}, // made again: another log
		{Partition: at(2), TopicID: "now", Next: 50},   // the log has lost its end
		{Partition: at(3), TopicID: "now", Next: 1},    // the log was cut
		{Partition: at(4), Next: 5},                    // committed by another program
		{Partition: record.Partition{Topic: "gone"}, TopicID: "gone", Next: 5},
	}
	splits := []int64{5, 2, 9, 2, 5, 2}
	after, before := After(positions, present), Before(positions, present)
	for i, split := range splits {
		r := Range{Partition: at(int32(i)), TopicID: "now", From: split, To: 9}
		if diff := cmp.Diff(r, after[i]); diff != "" {
			t.Errorf("after: %s", diff)
		}
		r.From, r.To = 2, split
		if diff := cmp.Diff(r, before[i]); diff != "" {
			t.Errorf("before: %s", diff)
		}
	}
	gone := []Range{
		{Partition: at(1), TopicID: "now", From: 0, To: 2},
		{Partition: at(3), TopicID: "now", From: 1, To: 2},
		{Partition: at(5), TopicID: "now", From: 0, To: 2}, // nobody has read it
	}
	if diff := cmp.Diff(gone, Cut(positions, present)); diff != "" {
		t.Errorf("cut: %s", diff)
	}
	if diff := cmp.Diff([]record.Position{positions[1], positions[5]}, Ended(positions, present)); diff != "" {
		t.Errorf("ended: %s", diff)
	}
	if left := After(Positions(present), present); left[3].From != 9 || left[3].To != 9 {
		t.Errorf("after its own end: %v", left)
	}
	if present[0].From != 2 || present[0].To != 9 {
		t.Error("the present log was changed")
	}
}

func TestCommittedTellsTheTopicThatWasRead(t *testing.T) {
	underBothProtocols(t, func(t *testing.T, cfg Config) {
		topic := makeTopics(t, cfg, 2)[0]
		at := record.Partition{Topic: topic, ID: 1}
		publish(t, cfg, at, "a", "b", "c")
		admin, reader := testAdmin(t, cfg), testReader(t, cfg)
		topics := []string{topic, "no-such-topic-" + cfg.GroupID}
		if got, err := admin.Committed(t.Context(), cfg.GroupID, topics); err != nil || len(got) > 0 {
			t.Errorf("of a group that never was: %v, %v", got, err)
		}
		m := join(t, cfg)
		serve(t, "three records", m.hasRead(3), m)
		m.commit()
		id := rangesOf(t, reader, topic)[1].TopicID
		want := record.Position{Partition: at, TopicID: id, Next: 3}
		got, err := admin.Committed(t.Context(), cfg.GroupID, topics) // beside a member
		if err != nil || !slices.Contains(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
		if members, err := admin.Members(t.Context(), cfg.GroupID); err != nil || len(members) != 1 {
			t.Errorf("asking has made a member: %v, %v", members, err)
		}
		m.leave()
		remake(t, cfg, 2)
		publish(t, cfg, at, "anew")
		got, err = admin.Committed(t.Context(), cfg.GroupID, topics)
		if err != nil {
			t.Fatal(err)
		}
		left := After(got, rangesOf(t, reader, topic))
		if left[1].From != 0 || left[1].To != 1 {
			t.Errorf("committed %v of the topic before; left of the one made again: %v", got, left)
		}
	})
}
