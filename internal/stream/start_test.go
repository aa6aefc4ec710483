package stream

import (
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/record"
)

func TestStartAt(t *testing.T) {
	for name, test := range map[string]struct {
		at          Place
		want        int64
		problem     bool
		noteworthy  bool
		problemSays string
	}{
		"never committed":              {at: Place{Committed: -1, High: 9}, want: 0},
		"never committed, log cut":     {at: Place{Committed: -1, Low: 4, High: 9}, want: 4, noteworthy: true},
		"in the middle":                {at: Place{Committed: 5, Low: 4, High: 9}, want: 5},
		"at the first":                 {at: Place{Committed: 4, Low: 4, High: 9}, want: 4},
		"at the end":                   {at: Place{Committed: 9, Low: 4, High: 9}, want: 9},
		"below the first":              {at: Place{Committed: 3, Low: 4, High: 9}, want: 3, problem: true, problemSays: "offsets 3 to 3 are no longer in the log"},
		"all expired":                  {at: Place{Committed: 3, Low: 9, High: 9}, want: 3, problem: true, problemSays: "offsets 3 to 8"},
		"behind the end":               {at: Place{Committed: 10, Low: 4, High: 9}, want: 10, problem: true, problemSays: "the log ends at offset 9"},
		"same topic":                   {at: Place{Committed: 5, High: 9, TopicID: "a", CommittedID: "a"}, want: 5},
		"topic made again":             {at: Place{Committed: 5, High: 9, TopicID: "b", CommittedID: "a"}, want: 0, noteworthy: true},
		"topic made again and shorter": {at: Place{Committed: 5, High: 2, TopicID: "b", CommittedID: "a"}, want: 0, noteworthy: true},
		"reset by a tool":              {at: Place{Committed: 5, High: 9, TopicID: "b"}, want: 5},
		"brokers without ids":          {at: Place{Committed: 5, High: 9, CommittedID: "a"}, want: 5},
	} {
		t.Run(name, func(t *testing.T) {
			got, note := StartAt(record.Partition{Topic: "post.created", ID: 2}, test.at, "workers")
			if got.Offset != test.want || (got.Problem != nil) != test.problem || (note != "") != test.noteworthy {
				t.Errorf("got %+v, want offset %d, problem %t, note %t", got, test.want, test.problem, test.noteworthy)
			}
			if got.Problem != nil {
				for _, part := range []string{test.problemSays, "post.created/2", "group workers", "--topic post.created --partition 2"} {
					if !strings.Contains(got.Problem.Error(), part) {
						t.Errorf("problem %q does not say %q", got.Problem, part)
					}
				}
			}
		})
	}
}

func TestMetadataRoundTrip(t *testing.T) {
	other := "some other tool's text"
	for _, test := range []struct {
		text *string
		want string
	}{
		{writeMetadata("fb4ZtmxNTPKoD2Sv6I1TkA"), "fb4ZtmxNTPKoD2Sv6I1TkA"},
		{writeMetadata(""), ""},
		{nil, ""},
		{&other, ""},
	} {
		if got := readMetadata(test.text); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestChunkDropsWhatIsGone(t *testing.T) {
	a, b := record.Partition{Topic: "a"}, record.Partition{Topic: "b"}
	c := chunk{}
	for offset, id := range []record.Partition{a, b, a, b, b} {
		c.add(record.Record{Partition: id, Offset: int64(offset), Value: make([]byte, 100)})
	}
	whole := c.bytes
	c.drop(map[record.Partition]*partition{b: {}})
	var kept []int64
	for _, r := range c.records {
		kept = append(kept, r.Offset)
	}
	if diff := cmp.Diff([]int64{0, 2}, kept); diff != "" {
		t.Error(diff)
	}
	if c.bytes*5 != whole*2 {
		t.Errorf("%d bytes left of %d", c.bytes, whole)
	}
}

func TestSettleCountsTheEndOnlyWhenAllHasEnded(t *testing.T) {
	p := &partition{topicID: "x", delivered: 7, position: 9}
	for next, want := range map[int64]int64{6: 6, 7: 9} {
		got := p.settle(record.Partition{Topic: "a"}, next)
		if got.Offset != kafka.Offset(want) || *got.Metadata != "topic-id=x" {
			t.Errorf("settled %d: commits %v with %q, want %d", next, got.Offset, *got.Metadata, want)
		}
	}
}

func TestOnlyWhatThisOwnershipHasComeToIsStored(t *testing.T) {
	p := &partition{assigned: true, begun: 3, settled: 5, delivered: 7, position: 9}
	for next, want := range map[int64]bool{4: false, 5: true, 7: true, 8: false, 500: false} {
		if got := p.accepts(next); got != want {
			t.Errorf("%d: %t, want %t", next, got, want)
		}
	}
	if (&partition{phase: starting}).accepts(0) {
		t.Error("a partition that is not begun takes an offset")
	}
}
