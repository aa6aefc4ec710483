package pipeline

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

var tp = record.Partition{Topic: "post.updated", ID: 3}

// bench drives a machine by hand.
type bench struct {
	*testing.T
	m     *Machine
	now   time.Time
	ended []string // "offset result", in order
	next  int64    // offset of the next record
	bad   int64    // offset of one whose event has a field "poison"; 0 for none
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, now: time.Unix(1000, 0)}
	cfg := Config{MaxEvents: 10, MaxBytes: 1 << 20, MaxWait: 20 * time.Millisecond, Concurrency: 2, Shutdown: time.Second}
	b.m = NewMachine(cfg, rand.New(rand.NewPCG(1, 1)), func(e Ending) {
		b.ended = append(b.ended, fmt.Sprintf("%d %s", e.Record.Offset, e.Result))
	}, false)
	b.step(Assign{Partitions: []Start{{Partition: tp}}})
	return b
}

func (b *bench) step(in Input) []Effect {
	b.Helper()
	effects := b.m.Step(b.now, in)
	if s := b.m.Snapshot(); !balanced(s) {
		b.Fatalf("books out of balance after %T: %+v", in, s)
	}
	return effects
}

func balanced(s Snapshot) bool {
	var in, out uint64
	for _, n := range s.Consumed {
		in += n
	}
	for _, c := range s.Outcomes {
		out += c.Count
	}
	return s.InFlight >= 0 && in == out+uint64(s.InFlight)
}

func (b *bench) wait(d time.Duration) []Effect {
	b.now = b.now.Add(d)
	return b.step(Tick{})
}

// receive brings one record per id, prepared as good changes of that id.
func (b *bench) receive(ids ...string) []Effect {
	b.Helper()
	var records []record.Record
	var results []Preparation
	for _, id := range ids {
		r, p := b.change(id, b.next)
		records, results = append(records, r), append(results, p)
		b.next++
	}
	p := only[Prepare](b, b.step(Receive{Records: records}))
	return b.step(Prepared{Batch: p.Batch, Results: results})
}

// change returns a record of a good change of that id, and what decoding finds.
func (b *bench) change(id string, offset int64) (record.Record, Preparation) {
	fields := []document.Field{{Name: "n", Value: fmt.Appendf(nil, "%d", offset)}}
	if b.bad == offset && offset != 0 {
		fields = append(fields, document.Field{Name: "poison", Value: []byte("1")})
	}
	state := document.Upsert(document.UpsertOrder(offset, 1, 1), fields)
	return record.Record{Partition: tp, Offset: offset, Value: []byte(id), Timestamp: 1}, Preparation{Change: handlers.Change{
		Key: document.Key{Entity: document.Post, ID: id}, State: state.Pack(), Digest: [16]byte{byte(offset)},
	}}
}

// only returns the one effect of type E.
func only[E Effect](b *bench, effects []Effect) E {
	b.Helper()
	found := all[E](effects)
	if len(found) != 1 {
		b.Fatalf("want one %T among %#v", *new(E), effects)
	}
	return found[0]
}

func all[E Effect](effects []Effect) (found []E) {
	for _, e := range effects {
		if e, ok := e.(E); ok {
			found = append(found, e)
		}
	}
	return found
}

func (b *bench) answer(w Write, outcomes ...index.Outcome) []Effect {
	b.Helper()
	in := Written{Write: w.ID}
	for _, o := range outcomes {
		in.Outcomes = append(in.Outcomes, Outcome{Outcome: o, Space: "uuid"})
	}
	return b.step(in)
}

func (b *bench) wantEnded(want ...string) {
	b.Helper()
	if diff := cmp.Diff(want, b.ended); diff != "" {
		b.Fatalf("ended: %s", diff)
	}
	b.ended = nil
}

func result(r index.Result) index.Outcome { return index.Outcome{Result: r, Index: "posts-1"} }

func TestEventsOfOneDocumentBecomeOneWrite(t *testing.T) {
	b := newBench(t)
	if got := all[Write](b.receive("a", "b", "a")); got != nil {
		t.Fatalf("wrote before the batch was due: %v", got)
	}
	w := only[Write](b, b.wait(20*time.Millisecond))
	if len(w.Actions) != 2 || w.Actions[0].State.Head().Version() != 2 {
		t.Fatalf("want a (joined to version 2) and b: %v", w.Actions)
	}
	effects := b.answer(w, result(index.Written), result(index.Stale))
	b.wantEnded("0 indexed", "2 indexed", "1 stale")
	if got := len(only[Mark](b, effects).Marks); got != 3 {
		t.Errorf("%d marks, want one for each event", got)
	}
}

func TestAFullBatchGoesAtOnce(t *testing.T) {
	b := newBench(t)
	ids := make([]string, 25)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	writes := all[Write](b.receive(ids...))
	if len(writes) != 2 || len(writes[0].Actions) != 10 || len(writes[1].Actions) != 10 {
		t.Fatalf("want two full requests and the rest waiting, got %v", writes)
	}
}

// While a document is being written, later events of it gather; they never travel
// in a second request at the same time.
func TestOneWriteADocumentAtATime(t *testing.T) {
	b := newBench(t)
	b.receive("a")
	first := only[Write](b, b.wait(time.Second))
	b.receive("a")
	b.receive("a")
	if got := all[Write](b.wait(time.Second)); got != nil {
		t.Fatalf("a second write of the document while the first is under way: %v", got)
	}
	second := only[Write](b, b.answer(first, result(index.Written)))
	b.answer(second, result(index.Written))
	b.wantEnded("0 indexed", "1 indexed", "2 indexed")
}

func TestRetryOfOneDocumentDelaysItAlone(t *testing.T) {
	b := newBench(t)
	b.receive("a", "b")
	w := only[Write](b, b.wait(time.Second))
	b.answer(w, index.Outcome{Result: index.Retry, Reason: "throttled"}, result(index.Written))
	b.wantEnded("1 indexed")
	b.receive("a", "c")
	w = only[Write](b, b.wait(20*time.Millisecond))
	if len(w.Actions) != 1 || w.Actions[0].ID != "c" {
		t.Fatalf("want c alone while a is delayed: %v", w.Actions)
	}
	b.answer(w, result(index.Written))
	w = only[Write](b, b.wait(time.Second))
	if len(w.Actions) != 1 || w.Actions[0].ID != "a" || w.Actions[0].State.Head().Version() != 2 {
		t.Fatalf("want a again, with what came meanwhile: %v", w.Actions)
	}
	b.answer(w, result(index.Written))
	b.wantEnded("3 indexed", "0 indexed", "2 indexed")
}

func TestWhenNothingIsTakenEverythingHolds(t *testing.T) {
	b := newBench(t)
	b.receive("a", "b")
	retry := index.Outcome{Result: index.Retry, Reason: "network", Words: "refused"}
	b.answer(only[Write](b, b.wait(time.Second)), retry, retry)
	b.receive("c")
	if got := all[Write](b.wait(10 * time.Millisecond)); got != nil {
		t.Fatalf("wrote during the hold: %v", got)
	}
	effects := b.wait(2 * time.Second)
	if s := only[Stalled](b, effects); s.Reason != "network" || s.Words != "refused" {
		t.Errorf("stalled: %+v", s)
	}
	b.answer(only[Write](b, effects), retry, retry, retry)
	for range 5 {
		effects = b.answer(only[Write](b, b.wait(11*time.Second)), retry, retry, retry)
		if got := all[Stalled](effects); got != nil {
			t.Fatalf("the same trouble was told twice: %v", got)
		}
	}
	effects = b.answer(only[Write](b, b.wait(11*time.Second)), result(index.Written), result(index.Written), result(index.Written))
	only[Recovered](b, effects)
	b.wantEnded("0 indexed", "1 indexed", "2 indexed")
}

// An index that takes some requests and not others is slow, not stalled.
func TestARequestThatFailsAmongOthersIsNoStall(t *testing.T) {
	b := newBench(t)
	retry := index.Outcome{Result: index.Retry, Reason: index.ReasonThrottled}
	for range 10 {
		b.receive("a")
		var effects []Effect
		for _, out := range []index.Outcome{retry, result(index.Written)} {
			effects = append(effects, b.answer(only[Write](b, b.wait(200*time.Millisecond)), out)...)
		}
		if len(all[Stalled](effects))+len(all[Recovered](effects)) > 0 {
			t.Fatalf("told of a stall: %v", effects)
		}
	}
}

func TestARefusedJoinIsTriedEventByEvent(t *testing.T) {
	b := newBench(t)
	b.receive("a", "a", "a")
	refused := index.Outcome{Result: index.Rejected, Reason: "rejected_by_index", Words: "no"}
	effects := b.answer(only[Write](b, b.wait(time.Second)), refused)
	b.wantEnded()
	b.receive("a")
	for i, out := range []index.Outcome{result(index.Written), refused, result(index.Written)} {
		w := all[Write](effects)
		if len(w) == 0 {
			w = all[Write](b.wait(time.Second))
		}
		if len(w) != 1 || len(w[0].Actions) != 1 || w[0].Actions[0].State.Head().Version() != int64(i) {
			t.Fatalf("want event %d alone: %v", i, w)
		}
		effects = b.answer(w[0], out)
		if out == refused {
			letter := only[SendLetter](b, effects)
			if letter.Letter.Reason != "rejected_by_index" || letter.Letter.Error != "no" || letter.Letter.Record.Offset != 1 {
				t.Fatalf("letter: %+v", letter)
			}
			b.wantEnded("0 indexed")
			b.step(Delivered{Letter: letter.ID})
			b.wantEnded("1 dead")
		}
	}
	b.wantEnded("2 indexed")
}

func TestCommitsOnlyWhatHasEndedWithoutGap(t *testing.T) {
	b := newBench(t)
	b.receive("a", "b", "c")
	w := only[Write](b, b.wait(2*time.Second))
	retry := index.Outcome{Result: index.Retry, Reason: "throttled"}
	effects := b.answer(w, result(index.Written), retry, result(index.Written))
	if got := only[Commit](b, effects).Next[tp]; got != 1 {
		t.Fatalf("committed %d, want 1: record 1 has not ended", got)
	}
	b.step(Committed{Err: errors.New("broker away")})
	w = only[Write](b, b.wait(time.Second)) // also asks for the failed commit again
	effects = b.answer(w, result(index.Written))
	b.step(Committed{})
	if got := only[Commit](b, append(effects, b.wait(time.Second)...)).Next[tp]; got != 3 {
		t.Fatalf("committed %d, want 3", got)
	}
}

// What OpenSearch refuses in a joined write may be an event that was abandoned
// meanwhile. Found by the simulation: its neighbour became the letter.
func TestAnAbandonedEventLeavesTheWriteOfItsNeighbour(t *testing.T) {
	b := newBench(t)
	b.receive("a")
	first := only[Write](b, b.wait(time.Second))
	b.receive("a") // waits behind the first, joined with one of another partition
	other := record.Partition{Topic: "post.created"}
	b.step(Assign{Partitions: []Start{{Partition: other}}})
	p := only[Prepare](b, b.step(Receive{Records: []record.Record{{Partition: other}}}))
	state := document.Upsert(document.UpsertOrder(9, 1, 1), []document.Field{{Name: "poison", Value: []byte("1")}})
	b.step(Prepared{Batch: p.Batch, Results: []Preparation{{Change: handlers.Change{
		Key: document.Key{Entity: document.Post, ID: "a"}, State: state.Pack(),
	}}}})
	b.step(Lose{Partitions: []record.Partition{other}})
	effects := b.answer(first, result(index.Written))
	w := only[Write](b, append(effects, b.wait(time.Second)...))
	refused := index.Outcome{Result: index.Rejected, Reason: "rejected_by_index", Words: "no"}
	effects = b.answer(w, refused)
	w = only[Write](b, append(effects, b.wait(time.Second)...))
	if got := w.Actions[0].State.Unpack(); got.Version() != 1 || len(got.Fields) != 1 {
		t.Fatalf("took the neighbour for the culprit: %v", got)
	}
	b.answer(w, result(index.Written))
}

// A result that arrives for an earlier ownership must not move the offsets of the
// present one.
func TestResultsOfALostOwnershipDoNotCount(t *testing.T) {
	b := newBench(t)
	b.receive("a")
	w := only[Write](b, b.wait(2*time.Second))
	b.step(Lose{Partitions: []record.Partition{tp}})
	b.wantEnded("0 abandoned")
	b.step(Assign{Partitions: []Start{{Partition: tp, Offset: 0}}})
	effects := append(b.answer(w, result(index.Written)), b.wait(2*time.Second)...)
	if got := all[Commit](effects); got != nil {
		t.Fatalf("committed by the result of a lost ownership: %v", got)
	}
	b.wantEnded()
}

func TestRecordsOfForeignPartitionsAreDropped(t *testing.T) {
	b := newBench(t)
	foreign := record.Record{Partition: record.Partition{Topic: "post.updated", ID: 9}}
	if got := b.step(Receive{Records: []record.Record{foreign}}); len(got) > 0 {
		t.Fatalf("did something with a foreign record: %v", got)
	}
}

func TestARefusedLetterPausesItsPartitionAlone(t *testing.T) {
	b := newBench(t)
	p := only[Prepare](b, b.step(Receive{Records: []record.Record{{Partition: tp}}}))
	rejection := &handlers.Rejection{Reason: handlers.InvalidJSON, Detail: "x"}
	effects := b.step(Prepared{Batch: p.Batch, Results: []Preparation{{Rejection: rejection}}})
	effects = b.step(Delivered{Letter: only[SendLetter](b, effects).ID, Err: errors.New("too large")})
	if got := only[Pause](b, effects).Partition; got != tp {
		t.Fatalf("paused %v", got)
	}
	effects = b.wait(time.Second)
	b.wantEnded()
	effects = b.step(Delivered{Letter: only[SendLetter](b, effects).ID})
	only[Resume](b, effects)
	b.wantEnded("0 dead")
}

func TestAStuckStartIsPaused(t *testing.T) {
	b := newBench(t)
	other := record.Partition{Topic: "x"}
	effects := b.step(Assign{Partitions: []Start{{Partition: other, Stuck: "offset 5 is gone"}}})
	if got := only[Pause](b, effects); got.Partition != other || got.Why != "offset 5 is gone" {
		t.Fatalf("paused %+v", got)
	}
}

func TestAPartitionThatHoldsTooMuchForLongIsPaused(t *testing.T) {
	b := newBench(t)
	big := record.Record{Partition: tp, Value: make([]byte, 7<<20)} // budget is 6 MiB
	p := only[Prepare](b, b.step(Receive{Records: []record.Record{big}}))
	if got := all[Pause](b.wait(4 * time.Second)); got != nil {
		t.Fatalf("paused too early: %v", got)
	}
	if b.m.Room() {
		t.Fatal("room beyond the budget")
	}
	only[Pause](b, b.wait(3*time.Second))
	if !b.m.Room() {
		t.Fatal("what a paused partition holds keeps all others waiting")
	}
	b.step(Prepared{Batch: p.Batch, Results: []Preparation{{Duplicate: true}}})
	only[Resume](b, b.wait(time.Second))
	b.wantEnded("0 duplicate")
}

// Each bulk request is of one index, and an index that takes nothing holds back its
// own documents alone.
func TestTroubleOfOneIndexHoldsUpNoOther(t *testing.T) {
	b := newBench(t)
	artist := func() {
		p := only[Prepare](b, b.step(Receive{Records: []record.Record{{Partition: tp, Offset: b.next}}}))
		state := document.Upsert(document.UpsertOrder(b.next, 1, 1), nil)
		b.next++
		b.step(Prepared{Batch: p.Batch, Results: []Preparation{{Change: handlers.Change{
			Key: document.Key{Entity: document.Artist, ID: "x"}, State: state.Pack(),
		}}}})
	}
	b.receive("a")
	retry := index.Outcome{Result: index.Retry, Reason: "blocked"}
	b.answer(only[Write](b, b.wait(time.Second)), retry)
	effects := b.wait(2 * time.Second)
	if stalled := only[Stalled](b, effects); stalled.Entity != document.Post {
		t.Errorf("stalled: %+v", stalled)
	}
	b.answer(only[Write](b, effects), retry)
	for range 3 {
		artist()
		var posts, artists []Write
		for _, w := range all[Write](b.wait(20 * time.Millisecond)) {
			if w.Actions[0].Entity == document.Post {
				posts = append(posts, w)
			} else {
				artists = append(artists, w)
			}
		}
		if len(artists) != 1 {
			t.Fatalf("artists wait for posts: %v", artists)
		}
		effects := b.answer(artists[0], result(index.Written))
		for _, w := range posts {
			effects = append(effects, b.answer(w, retry)...)
		}
		if len(all[Recovered](effects))+len(all[Stalled](effects)) > 0 {
			t.Fatalf("the state of one index was told again: %v", effects)
		}
	}
	b.wantEnded("1 indexed", "2 indexed", "3 indexed")
	effects = b.answer(only[Write](b, b.wait(time.Minute)), result(index.Written))
	only[Recovered](b, effects)
	b.wantEnded("0 indexed")
}

// A request holds no more than it may, however little of its bytes is contents.
func TestTombstonesFillARequest(t *testing.T) {
	b := newBench(t)
	b.m.cfg.MaxEvents, b.m.cfg.MaxBytes = 1000, 16<<10
	const count = 500
	var records []record.Record
	var results []Preparation
	for i := range int64(count) {
		records = append(records, record.Record{Partition: tp, Offset: i})
		results = append(results, Preparation{Change: handlers.Change{
			Key:   document.Key{Entity: document.Post, ID: fmt.Sprint("post ", i)},
			State: document.Delete(document.DeleteOrder(i, 1717236000000000), 1717236000000).Pack(),
		}})
	}
	effects := b.step(Receive{Records: records})
	effects = b.step(Prepared{Batch: only[Prepare](b, effects).Batch, Results: results})
	for queue := all[Write](effects); len(b.ended) < count; queue = queue[1:] {
		if len(queue) == 0 {
			queue = all[Write](b.wait(time.Second))
		}
		bytes := 0
		outcomes := make([]index.Outcome, len(queue[0].Actions))
		for i, a := range queue[0].Actions {
			bytes += len(a.ID) + len(a.State.AppendSource(nil))
			outcomes[i] = result(index.Deleted)
		}
		if bytes > b.m.cfg.MaxBytes {
			t.Fatalf("a request of %d bytes", bytes)
		}
		queue = append(queue, all[Write](b.answer(queue[0], outcomes...))...)
	}
}
