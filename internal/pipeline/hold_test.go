package pipeline

import (
	"testing"

	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

func TestOperatorPausesAndResumesAPartition(t *testing.T) {
	b := newBench(t)
	b.receive("a")
	if p := only[Pause](b, b.step(Hold{Partition: tp, On: true})); p.Partition != tp || p.Why == "" {
		t.Fatalf("paused %+v", p)
	}
	if again := all[Pause](b.step(Hold{Partition: tp, On: true})); again != nil {
		t.Errorf("paused twice: %v", again)
	}
	if s := b.m.Snapshot(); s.Partitions[0].Paused == "" {
		t.Error("the snapshot does not tell the pause")
	}
	// What was read before still goes its way.
	w := only[Write](b, b.wait(b.m.cfg.MaxWait))
	b.answer(w, result(index.Written))
	b.wantEnded("0 indexed")

	if r := only[Resume](b, b.step(Hold{Partition: tp})); r.Partition != tp {
		t.Errorf("resumed %+v", r)
	}
	if again := all[Resume](b.step(Hold{Partition: tp})); again != nil {
		t.Errorf("resumed twice: %v", again)
	}
}

// The wish outlives an ownership, and may come before it.
func TestOperatorsPauseSurvivesARebalance(t *testing.T) {
	b := newBench(t)
	other := record.Partition{Topic: "post.created", ID: 1}
	if effects := all[Pause](b.step(Hold{Partition: other, On: true})); effects != nil {
		t.Fatalf("paused what is not ours: %v", effects)
	}
	only[Pause](b, b.step(Hold{Partition: tp, On: true}))
	b.step(Release{Partitions: []record.Partition{tp}})
	only[Released](b, b.step(Committed{}))
	if paused := all[Pause](b.step(Assign{Partitions: []Start{{Partition: tp}, {Partition: other}}})); len(paused) != 2 {
		t.Errorf("want both paused at once: %v", paused)
	}
}

// An operator's resume does not read what may not be read.
func TestResumeLeavesOtherReasonsStanding(t *testing.T) {
	b := newBench(t)
	only[Pause](b, b.step(Fail{Partitions: []Start{{Partition: tp, Stuck: "offset 7 is lost"}}}))
	b.step(Hold{Partition: tp, On: true})
	if got := all[Resume](b.step(Hold{Partition: tp})); got != nil {
		t.Errorf("resumed a stuck partition: %v", got)
	}
	if why := b.m.Snapshot().Partitions[0].Paused; why != "offset 7 is lost" {
		t.Errorf("paused because %q", why)
	}
}
