package pipeline

import (
	"errors"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

func TestReleaseDrainsThenCommitsThenHandsOver(t *testing.T) {
	b := newBench(t)
	b.receive("a", "b")
	w := only[Write](b, b.step(Release{Partitions: []record.Partition{tp}}))
	effects := b.answer(w, result(index.Written), result(index.Deleted))
	if got := only[Commit](b, effects).Next[tp]; got != 2 {
		t.Fatalf("committed %d, want 2", got)
	}
	if early := all[Released](effects); early != nil {
		t.Fatal("handed over before the commit is answered")
	}
	if r := only[Released](b, b.step(Committed{})); r != (Released{}) {
		t.Errorf("%+v", r)
	}
	b.wantEnded("0 indexed", "1 deleted")
}

func TestWhatADrainHasNoTimeForIsLeftToTheNextOwner(t *testing.T) {
	b := newBench(t)
	b.receive("a", "b")
	w := only[Write](b, b.step(Release{Partitions: []record.Partition{tp}}))
	b.answer(w, result(index.Written), index.Outcome{Result: index.Retry, Reason: "throttled"})
	for limit := b.now.Add(b.m.cfg.Shutdown * 4 / 5); b.now.Before(limit); {
		if again := all[Write](b.wait(b.m.Wake(b.now).Sub(b.now))); again != nil {
			b.answer(again[0], index.Outcome{Result: index.Retry, Reason: "throttled"})
		}
	}
	b.wantEnded("0 indexed", "1 abandoned")
	if r := only[Released](b, b.step(Committed{})); r.Abandoned != 1 || r.Uncommitted {
		t.Errorf("%+v", r)
	}
	if got := all[Write](b.wait(time.Minute)); got != nil {
		t.Fatalf("wrote what was abandoned: %v", got)
	}
}

// With the brokers away the client waits for 45 s; a handover does not.
func TestAHandoverDoesNotWaitForCommitsForEver(t *testing.T) {
	b := newBench(t)
	b.receive("a")
	w := only[Write](b, b.wait(2*time.Second))
	only[Commit](b, b.answer(w, result(index.Written))) // no answer
	b.receive("b")
	w = only[Write](b, b.step(Release{Partitions: []record.Partition{tp}}))
	if second := all[Commit](b.answer(w, result(index.Written))); second != nil {
		t.Fatal("two commits at a time")
	}
	if r := only[Released](b, b.wait(b.m.Wake(b.now).Sub(b.now))); !r.Uncommitted {
		t.Errorf("%+v", r)
	}
}

// The last commit of a partition comes after the one that is under way, and has all.
func TestAHandoverCommitsBehindTheCommitUnderWay(t *testing.T) {
	b := newBench(t)
	b.receive("a")
	w := only[Write](b, b.wait(2*time.Second))
	only[Commit](b, b.answer(w, result(index.Written)))
	b.receive("b")
	w = only[Write](b, b.step(Release{Partitions: []record.Partition{tp}}))
	b.answer(w, result(index.Written))
	if got := only[Commit](b, b.step(Committed{Err: errors.New("broker away")})).Next[tp]; got != 2 {
		t.Errorf("committed %d, want 2", got)
	}
	only[Released](b, b.step(Committed{}))
}

// A commit that brokers refuse is tried again, since the group may be between two
// generations, but not for ever.
func TestAHandoverTriesItsCommitAgain(t *testing.T) {
	b := newBench(t)
	refusal := Committed{Err: errors.New("rebalance in progress")}
	only[Commit](b, b.step(Release{Partitions: []record.Partition{tp}}))
	attempts := 0
	for limit := b.now.Add(b.m.cfg.Shutdown / 2); b.now.Before(limit); attempts++ {
		if got := b.step(refusal); got != nil {
			t.Fatalf("no pause before the next attempt: %v", got)
		}
		wake := b.m.Wake(b.now)
		if wake.Equal(limit) {
			break
		}
		only[Commit](b, b.wait(wake.Sub(b.now)))
	}
	if r := only[Released](b, b.wait(b.m.Wake(b.now).Sub(b.now))); !r.Uncommitted || attempts < 3 {
		t.Errorf("%+v after %d attempts", r, attempts)
	}
}

// A stop that comes into a revoke ends with it.
func TestAReleaseJoinsTheOneUnderWay(t *testing.T) {
	b := newBench(t)
	other := record.Partition{Topic: "post.created"}
	b.step(Assign{Partitions: []Start{{Partition: other}}})
	only[Commit](b, b.step(Release{Partitions: []record.Partition{tp}}))
	b.step(Release{Partitions: []record.Partition{tp, other}})
	if got := only[Commit](b, b.step(Committed{})).Next; len(got) != 2 {
		t.Errorf("committed %v", got)
	}
	only[Released](b, b.step(Committed{}))
}

func TestReleaseOfNothingIsAnswered(t *testing.T) {
	b := newBench(t)
	only[Released](b, b.step(Release{}))
	only[Released](b, b.step(Release{Partitions: []record.Partition{{Topic: "other"}}}))
	b.receive("a")
	b.step(Release{Partitions: []record.Partition{tp}})
	only[Released](b, b.step(Lose{Partitions: []record.Partition{tp}}))
}

// A loop that takes up a stop late has less time for it.
func TestALateStopEndsInTime(t *testing.T) {
	b := newBench(t)
	b.receive("a")
	late := b.m.cfg.Shutdown / 4
	asked := b.now.Add(-late)
	var committed, released bool
	for effects := b.step(Release{Partitions: []record.Partition{tp}, Passed: late}); ; {
		committed = committed || len(all[Commit](effects)) > 0
		released = len(all[Released](effects)) > 0
		passed := b.now.Sub(asked)
		if !committed && passed > b.m.cfg.Shutdown*4/5 || !released && passed >= b.m.cfg.Shutdown {
			t.Fatalf("%s of %s have passed; committed %v, released %v", passed, b.m.cfg.Shutdown, committed, released)
		}
		if released {
			return
		}
		effects = b.wait(b.m.Wake(b.now).Sub(b.now)) // neither write nor commit is answered
	}
}
