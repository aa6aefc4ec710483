package dlq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func rejected(r *record.Record) Letter {
	return Letter{Record: r, Reason: "rejected_by_index", FailedAt: noon.Add(time.Duration(r.Offset) * time.Second)}
}

func (b *broker) replay(c pipeline.Writer) *Replay {
	cfg := pipeline.Config{MaxEvents: 100, MaxBytes: 1 << 20, MaxWait: time.Millisecond, Concurrency: 2, Shutdown: 10 * time.Second, Guard: 100}
	return NewReplay(cfg, ReplayParts{
		Reader: b.reader(), Topics: b, Producer: b, Decoder: handlers.NewMux(""),
		Catalog: newCluster(), Writer: c, Observe: func(pipeline.Ending) {}, Log: zerolog.Nop(),
	})
}

// run replays all open letters.
func (b *broker) run(t *testing.T, c pipeline.Writer) Report {
	t.Helper()
	report, err := b.replay(c).Run(t.Context(), b.letters(t.Context()).Matching(Filter{}, false))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func want(t *testing.T, got, want Report) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// source returns the document of post 1.
func source(c *cluster) string {
	return string(c.states[document.Key{Entity: document.Post, ID: "1"}].AppendSource(nil))
}

func TestReplayBringsInWhatNowSucceedsOnce(t *testing.T) {
	b, c := newBroker(), newCluster()
	c.strict = "mood"
	b.put(rejected(post(1, `{"post_id":"1","version":1,"title":"one","mood":"blue"}`)))
	b.put(rejected(post(2, `{"post_id":"2","version":1,"mood":"red"}`)))
	b.put(rejected(post(3, `{"event_type":"post.deleted","version":3,"data":{"post_id":"3"}}`)))
	b.put(Letter{Record: post(4, `{`), Reason: "invalid_json", FailedAt: noon})

	want(t, b.run(t, c), Report{Letters: 4, Deleted: 1, Failed: 3, Reasons: map[string]int{"rejected_by_index": 2, "invalid_json": 1}})
	if b.count() != 4 {
		t.Errorf("%d records in the dead-letter topic: what fails again must not be sent again", b.count())
	}

	c.strict = "" // the template is mended; newer events have come meanwhile
	newer := handlers.NewMux("")
	for _, r := range []*record.Record{
		post(7, `{"post_id":"1","version":3,"title":"three"}`),
		post(8, `{"event_type":"post.deleted","data":{"post_id":"2"}}`),
	} {
		_, change, _ := newer.Decode(r)
		c.Write(t.Context(), "", []index.Action{{Key: change.Key, State: change.State}})
	}
	want(t, b.run(t, c), Report{Letters: 3, Indexed: 1, Stale: 1, Failed: 1, Reasons: map[string]int{"invalid_json": 1}})
	if got := source(c); !strings.HasPrefix(got, `{"mood":"blue","post_id":"1","title":"three","version":3`) {
		t.Errorf("post 1 is %s", got)
	}
	if c.states[document.Key{Entity: document.Post, ID: "2"}].Visible() {
		t.Error("the late create brought a deleted post back")
	}

	writes := c.writes
	want(t, b.run(t, c), Report{Letters: 1, Failed: 1, Reasons: map[string]int{"invalid_json": 1}})
	if c.writes != writes {
		t.Error("the second replay wrote")
	}
	listing := b.letters(t.Context())
	if open, all := len(listing.Matching(Filter{}, false)), len(listing.Matching(Filter{}, true)); open != 1 || all != 4 {
		t.Errorf("%d open letters of %d", open, all)
	}
	if b.made != 1 {
		t.Errorf("the topic of acknowledgements was made %d times", b.made)
	}
}

func TestACrashBeforeTheAcknowledgementIsHarmless(t *testing.T) {
	b, c := newBroker(), newCluster()
	b.put(rejected(post(1, `{"post_id":"1","version":1,"title":"one"}`)))
	b.refuse = errors.New("no broker")
	report, err := b.replay(c).Run(t.Context(), b.letters(t.Context()).Letters)
	if err == nil || !errors.Is(err, b.refuse) {
		t.Errorf("error %v", err)
	}
	want(t, report, Report{Letters: 1, Indexed: 1, Unmarked: 1})
	before := source(c)

	b.refuse = nil
	want(t, b.run(t, c), Report{Letters: 1, Stale: 1})
	if source(c) != before {
		t.Errorf("%s is now %s", before, source(c))
	}
	want(t, b.run(t, c), Report{})
}

func TestCopiesAreOneLetter(t *testing.T) {
	b, c := newBroker(), newCluster()
	l := rejected(post(2, `{"post_id":"1","version":1}`))
	b.put(l)
	l.FailedAt = l.FailedAt.Add(time.Second)
	b.put(l)
	remade := rejected(post(2, `{"post_id":"9","version":1}`)) // the same place in a topic made again
	b.put(remade)
	listing := b.letters(t.Context())
	if len(listing.Letters) != 2 || len(listing.Find(remade.place())) != 2 {
		t.Fatalf("%d letters, %d at their place", len(listing.Letters), len(listing.Find(remade.place())))
	}
	for _, e := range listing.Letters {
		if e.Document.ID == "1" && (len(e.Copies) != 2 || !e.FailedAt.Equal(l.FailedAt) || e.At.Offset != 1) {
			t.Errorf("two copies became %+v", e)
		}
	}
	want(t, b.run(t, c), Report{Letters: 2, Indexed: 2})
	want(t, b.run(t, c), Report{})

	// The same record fails again: it was read again, say into a new index.
	l.FailedAt = l.FailedAt.Add(time.Hour)
	b.put(l)
	want(t, b.run(t, c), Report{Letters: 1, Stale: 1})
	want(t, b.run(t, c), Report{})
}

func (l Letter) place() Place { return placeOf(l.Record) }

// stuck takes nothing.
type stuck struct{ asked chan struct{} }

func (s stuck) Write(_ context.Context, _ string, actions []index.Action) []index.Outcome {
	select {
	case s.asked <- struct{}{}:
	default:
	}
	outcomes := make([]index.Outcome, len(actions))
	for i := range outcomes {
		outcomes[i] = index.Outcome{Result: index.Retry, Reason: index.ReasonUnavailable}
	}
	return outcomes
}

func TestAnInterruptedReplayLeavesTheRestOpen(t *testing.T) {
	b := newBroker()
	const letters = 1500 // more than the worker is handed at once
	for i := range int64(letters) {
		b.put(rejected(post(i, fmt.Sprintf(`{"post_id":%d}`, i))))
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := stuck{make(chan struct{}, 1)}
	go func() { <-s.asked; cancel() }()
	replay := b.replay(s)
	replay.cfg.Shutdown = 200 * time.Millisecond
	report, err := replay.Run(ctx, b.letters(ctx).Letters)
	if err != nil {
		t.Fatal(err)
	}
	want(t, report, Report{Letters: letters, Left: letters})
	want(t, b.run(t, newCluster()), Report{Letters: letters, Indexed: letters})
}

// A worker would hold such a flood back; a replay must end.
func TestAReplayOfLettersThatAllFailAgainEnds(t *testing.T) {
	b, c := newBroker(), newCluster()
	c.strict = "mood"
	const letters = 200
	for i := range int64(letters) {
		b.put(rejected(post(i, fmt.Sprintf(`{"post_id":%d,"mood":"blue"}`, i))))
	}
	want(t, b.run(t, c), Report{Letters: letters, Failed: letters, Reasons: map[string]int{"rejected_by_index": letters}})
}

func TestPreviewWritesNothing(t *testing.T) {
	b := newBroker()
	b.put(rejected(post(1, `{"post_id":"1"}`)))
	b.put(Letter{Record: post(2, `{`), Reason: "invalid_json", FailedAt: noon})
	good, failing, err := b.reader().Preview(t.Context(), b.letters(t.Context()).Letters)
	if err != nil || good != 1 || failing["invalid_json"] != 1 || len(failing) != 1 || b.made > 0 || b.count() != 2 {
		t.Errorf("%d good, %v, %v", good, failing, err)
	}
}

func TestPurgeKeepsWhatMustStay(t *testing.T) {
	b, c := newBroker(), newCluster()
	c.strict = "mood"
	// Partition 0 has 0, 2 (open), 4; partition 1 has 1, 3.
	for i := range int64(5) {
		value := fmt.Sprintf(`{"post_id":%d}`, i)
		if i == 2 {
			value = `{"post_id":2,"mood":"blue"}`
		}
		b.put(rejected(post(i, value)))
	}
	b.run(t, c)
	none := func(Stranger) bool { return false }
	replayed := func(e *Entry) bool { return !e.Open() }

	plan := b.letters(t.Context()).PlanPurge(replayed, none)
	if plan.MayGo != 4 || plan.Goes != 3 || plan.Behind != 1 || plan.Stays != 1 || plan.Open != 0 {
		t.Errorf("plan %+v", plan)
	}
	if err := b.reader().Purge(t.Context(), plan, b, b); err != nil {
		t.Fatal(err)
	}
	listing := b.letters(t.Context())
	if len(listing.Letters) != 2 || listing.Letters[0].Offset != 2 || listing.Letters[1].Offset != 4 {
		t.Fatalf("left are %d letters", len(listing.Letters))
	}
	if len(listing.acks) != 1 || listing.Letters[1].Open() {
		t.Errorf("%d acknowledgements for one replayed letter", len(listing.acks))
	}

	// A record that is no letter holds up what stands behind it.
	_ = b.Send(t.Context(), &record.Record{Partition: record.Partition{Topic: "dead"}, Value: []byte("hello")}, func(int32, int64, error) {})
	b.put(rejected(post(6, `{"post_id":6}`)))
	all := func(*Entry) bool { return true }
	plan = b.letters(t.Context()).PlanPurge(all, none)
	if plan.Goes != 2 || plan.Behind != 1 || plan.Open != 1 || plan.Strangers != 0 {
		t.Errorf("plan with a stranger %+v", plan)
	}
	plan = b.letters(t.Context()).PlanPurge(all, func(Stranger) bool { return true })
	if plan.Goes != 3 || plan.Strangers != 1 {
		t.Errorf("plan for all %+v", plan)
	}
	if err := b.reader().Purge(t.Context(), plan, b, b); err != nil {
		t.Fatal(err)
	}
	if listing = b.letters(t.Context()); len(listing.Letters)+len(listing.Strangers)+len(listing.acks) > 0 {
		t.Errorf("left: %+v", listing)
	}
	if plan := listing.PlanPurge(all, none); len(plan.before) > 0 {
		t.Errorf("nothing to purge, but %v", plan.before)
	}
}

func TestAMissingTopicIsNamed(t *testing.T) {
	b := newBroker()
	delete(b.topics, "dead")
	if _, err := b.reader().List(t.Context()); err == nil || !strings.Contains(err.Error(), "dead does not exist") {
		t.Error(err)
	}
}
