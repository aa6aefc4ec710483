package pipeline

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

var refusedWrite = index.Outcome{Result: index.Rejected, Reason: "rejected_by_index", Words: "no"}

// recallOne returns the Recall of document "z", whose events 10 and 11 waited in a
// backlog behind ten others, were joined, and are refused.
func (b *bench) recallOne() Recall {
	b.Helper()
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
		b.receive(id)
	}
	b.m.cfg.Concurrency = 0 // the backlog builds up
	b.receive("j")
	b.receive("z")
	b.receive("z")
	b.m.cfg.Concurrency = 2
	writes := all[Write](b.wait(time.Second))
	if len(writes) != 2 || len(writes[1].Actions) != 1 {
		b.Fatalf("want a full request and one of a document alone: %v", writes)
	}
	first := make([]index.Outcome, len(writes[0].Actions))
	for i := range first {
		first[i] = result(index.Written)
	}
	b.answer(writes[0], first...)
	b.ended = nil
	return only[Recall](b, b.answer(writes[1], refusedWrite))
}

// recalled returns what reading the offsets again finds: the records as receive
// brought them.
func (b *bench) recalled(r Recall, offsets ...int64) Recalled {
	in := Recalled{Recall: r.ID}
	for _, offset := range offsets {
		rec, p := b.change("z", offset)
		in.Records, in.Results = append(in.Records, rec), append(in.Results, p)
	}
	return in
}

func TestARefusedBacklogIsReadAgainAndTriedEventByEvent(t *testing.T) {
	b := newBench(t)
	r := b.recallOne()
	if got := r.Offsets[tp]; len(got) != 2 || got[0] != 10 || got[1] != 11 {
		t.Fatalf("reads %v again", r.Offsets)
	}
	effects := b.step(b.recalled(r, 10, 11))
	effects = b.answer(only[Write](b, append(effects, b.wait(time.Second)...)), result(index.Written))
	b.wantEnded("10 indexed")
	effects = b.answer(only[Write](b, append(effects, b.wait(time.Second)...)), refusedWrite)
	letter := only[SendLetter](b, effects)
	if letter.Letter.Record.Offset != 11 || string(letter.Letter.Record.Value) != "z" {
		t.Fatalf("letter: %+v", letter.Letter.Record)
	}
	b.step(Delivered{Letter: letter.ID})
	b.wantEnded("11 dead")
}

// A partition that leaves while its records can't be read takes what waits for them
// along, and the document is free for its next events.
func TestWhatIsAbandonedIsNotReadAgain(t *testing.T) {
	b := newBench(t)
	r := b.recallOne()
	b.step(Recalled{Recall: r.ID, Unread: []record.Partition{tp}})
	b.step(Lose{Partitions: []record.Partition{tp}})
	b.step(Assign{Partitions: []Start{{Partition: tp, Offset: 10}}})
	b.next = 10
	b.receive("z")
	effects := b.wait(time.Second)
	for _, r := range all[Recall](effects) {
		if len(r.Offsets) > 0 {
			t.Fatalf("reads again what is abandoned: %v", r.Offsets)
		}
		effects = append(effects, b.step(Recalled{Recall: r.ID})...)
	}
	b.ended = nil
	b.answer(only[Write](b, append(effects, b.wait(time.Second)...)), result(index.Written))
	b.wantEnded("10 indexed")
}

// What the log no longer has can be neither tried nor buried: it stays uncommitted and
// its partition stops, while its neighbours in the write go on. No handover waits for it.
func TestARecordThatIsGoneStopsItsPartition(t *testing.T) {
	b := newBench(t)
	r := b.recallOne()
	effects := b.step(b.recalled(r, 11))
	if p := only[Pause](b, effects); p.Partition != tp {
		t.Fatalf("paused %v", p)
	}
	effects = append(effects, b.wait(2*time.Second)...)
	b.answer(only[Write](b, effects), result(index.Written))
	b.wantEnded("10 abandoned", "11 indexed")
	if s := b.m.Snapshot(); s.Partitions[0].Next != 10 || s.InFlight != 0 || s.Partitions[0].Paused == "" {
		t.Fatalf("%+v", s)
	}
	effects = append(b.step(Committed{}), b.step(Release{Partitions: []record.Partition{tp}})...)
	if got := only[Commit](b, effects).Next[tp]; got != 10 {
		t.Errorf("hands over at %d", got)
	}
	only[Released](b, b.step(Committed{}))
}

// It is told, once, of a partition that is paused already, too: that pause may end.
func TestARecordThatIsGoneIsToldOfAPausedPartition(t *testing.T) {
	b := newBench(t)
	r := b.recallOne()
	only[Pause](b, b.step(Hold{Partition: tp, On: true}))
	told := only[Pause](b, b.step(Recalled{Recall: r.ID}))
	if told.Partition != tp || !strings.HasPrefix(told.Why, "offset 10 is no longer in the log") {
		t.Errorf("%+v", told)
	}
	if again := all[Resume](b.step(Hold{Partition: tp})); again != nil {
		t.Errorf("resumed: %v", again)
	}
}

// What could be read is tried meanwhile; what could not be is asked for again.
func TestWhatCanNotBeReadAtTheMomentWaits(t *testing.T) {
	b := newBench(t)
	r := b.recallOne()
	some := b.recalled(r, 11)
	some.Unread = []record.Partition{tp}
	effects := append(b.step(some), b.wait(time.Second)...)
	effects = b.answer(only[Write](b, effects), result(index.Written))
	b.wantEnded("11 indexed")

	effects = append(effects, b.wait(time.Second)...)
	r = only[Recall](b, b.answer(only[Write](b, effects), refusedWrite))
	if got := r.Offsets[tp]; len(got) != 1 || got[0] != 10 {
		t.Fatalf("reads %v again", r.Offsets)
	}
	if got := b.step(Recalled{Recall: r.ID, Unread: []record.Partition{tp}}); len(got) > 0 {
		t.Fatalf("no pause before it is asked for again: %v", got)
	}
	r = only[Recall](b, b.wait(time.Second))
	effects = append(b.step(b.recalled(r, 10)), b.wait(time.Second)...)
	letter := only[SendLetter](b, b.answer(only[Write](b, effects), refusedWrite))
	b.step(Delivered{Letter: letter.ID})
	b.wantEnded("10 dead")
}

// However many events a refused document has, few of their records are in memory at a
// time, and all of its events are tried.
func TestAHotDocumentIsReadAgainInParts(t *testing.T) {
	const events = 500
	b := newBench(t)
	b.bad = 300
	b.m.cfg.MaxEvents, b.m.cfg.Concurrency = 1, 0
	ids := []string{"first"}
	for range events {
		ids = append(ids, "hot")
	}
	b.receive(ids...)
	packed := b.m.Snapshot().Bytes
	b.m.cfg.Concurrency, b.m.cfg.MaxBytes = 2, 20<<10
	most, recalls := 0, 0
	var letter *record.Record
	for queue := b.wait(time.Second); len(queue) > 0; queue = append(queue[1:], b.wait(time.Second)...) {
		var effects []Effect
		switch e := queue[0].(type) {
		case Write:
			out := result(index.Written)
			if slices.ContainsFunc(e.Actions[0].State.Unpack().Fields, func(f document.Field) bool { return f.Name == "poison" }) {
				out = refusedWrite
			}
			effects = b.answer(e, out)
		case Recall:
			recalls++
			effects = b.step(b.recalled(e, e.Offsets[tp]...))
			most = max(most, b.m.Snapshot().Bytes)
		case SendLetter:
			letter = e.Letter.Record
			effects = b.step(Delivered{Letter: e.ID})
		}
		queue = append(queue, effects...)
	}
	if bound := packed + 3*b.m.cfg.MaxBytes; most > bound {
		t.Errorf("%d bytes in memory, want at most %d", most, bound)
	}
	if len(b.ended) != events+1 || letter == nil || letter.Offset != b.bad || recalls < 10 {
		t.Errorf("%d ended, letter of %v, %d recalls", len(b.ended), letter, recalls)
	}
}

// So it is with many refused documents: those for which there is no room are asked for
// once there is.
func TestManyRefusedDocumentsAreReadAgainInTurn(t *testing.T) {
	b := newBench(t)
	b.m.cfg.MaxEvents, b.m.cfg.Concurrency = 1, 0
	ids := []string{"first"}
	for range 10 {
		ids = append(ids, "a", "b", "c", "d")
	}
	b.receive(ids...)
	b.m.cfg.Concurrency, b.m.cfg.MaxBytes = 2, 4<<10
	var asked []int
	for queue := b.wait(time.Second); len(queue) > 0; queue = queue[1:] {
		switch e := queue[0].(type) {
		case Write:
			out := result(index.Written)
			if e.Actions[0].ID != "first" {
				out = refusedWrite
			}
			queue = append(queue, b.answer(e, out)...)
		case Recall: // no answer yet
			asked = append(asked, len(e.Offsets[tp]))
		}
	}
	if diff := cmp.Diff([]int{7, 7, 0, 0}, asked); diff != "" {
		t.Errorf("records asked for: %s", diff)
	}
}

// Documents whose records can't be read do not take the room of the others again and
// again.
func TestWhatCanNotBeReadLeavesRoomToTheOthers(t *testing.T) {
	b := newBench(t)
	b.m.cfg.MaxEvents, b.m.cfg.Concurrency = 1, 0
	ids := []string{"first"}
	for range 10 {
		ids = append(ids, "a", "b", "c") // c at 3, 6, 9 and so on
	}
	b.receive(ids...)
	b.m.cfg.MaxEvents, b.m.cfg.Concurrency, b.m.cfg.MaxBytes = 10, 2, 4<<10
	isOfC := func(offset int64) bool { return offset%3 == 0 }

	w := only[Write](b, b.wait(time.Second))
	r := only[Recall](b, b.answer(w, result(index.Written), refusedWrite, refusedWrite, refusedWrite))
	if slices.ContainsFunc(r.Offsets[tp], isOfC) {
		t.Fatalf("there was room for all three: %v", r.Offsets)
	}
	b.step(Recalled{Recall: r.ID, Unread: []record.Partition{tp}})
	if r = only[Recall](b, b.wait(time.Second)); !slices.ContainsFunc(r.Offsets[tp], isOfC) {
		t.Errorf("asks for the same again: %v", r.Offsets)
	}
}
