package pipeline

import (
	"fmt"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/index"
)

// TestAFloodOfRefusalsHoldsTheLane: a wrong template must not empty a topic into
// the dead letters; when it is mended, the worker goes on by itself.
func TestAFloodOfRefusalsHoldsTheLane(t *testing.T) {
	b := newBench(t)
	b.m.cfg.Guard = 12
	ids := make([]string, 30)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	refused := index.Outcome{Result: index.Rejected, Reason: index.ReasonRejectedByIndex, Words: "no"}
	pending := all[Write](b.receive(ids...))
	letters, stalls := 0, 0
	for range 6 { // requests
		if len(pending) == 0 {
			effects := b.wait(11 * time.Second)
			pending = all[Write](effects)
			stalls += len(all[Stalled](effects))
		}
		w := pending[0]
		pending = pending[1:]
		outcomes := make([]index.Outcome, len(w.Actions))
		for i := range outcomes {
			outcomes[i] = refused
		}
		effects := b.answer(w, outcomes...)
		letters += len(all[SendLetter](effects))
		pending = append(pending, all[Write](effects)...)
	}
	if letters != 10 || stalls != 1 {
		t.Fatalf("%d letters and %d stalls, want those of the first request alone and one", letters, stalls)
	}
	if got := b.m.Snapshot().Stalled; len(got) != 1 || got[0].Reason != ReasonFlood {
		t.Errorf("stalled: %v", got)
	}

	for len(b.m.Snapshot().Stalled) > 0 || len(b.ended) < 20 { // mended
		for _, w := range append(pending, all[Write](b.wait(11*time.Second))...) {
			outcomes := make([]index.Outcome, len(w.Actions))
			for i := range outcomes {
				outcomes[i] = result(index.Written)
			}
			pending = all[Write](b.answer(w, outcomes...))
		}
	}
	if len(b.ended) != 20 {
		t.Errorf("%d ended, want 20 written: %v", len(b.ended), b.ended)
	}
}

func TestTheGuardCounts(t *testing.T) {
	outcomes := func(refused, taken int) []Outcome {
		list := make([]Outcome, refused+taken)
		for i := range list {
			list[i].Result = index.Written
			if i < refused {
				list[i].Result = index.Rejected
			}
		}
		return list
	}
	for name, tt := range map[string]struct {
		limit int
		feed  [][2]int // refused, taken
		want  bool
	}{
		"few":                    {100, [][2]int{{99, 0}}, false},
		"many":                   {100, [][2]int{{100, 0}}, true},
		"many, but not most":     {100, [][2]int{{0, 500}, {300, 0}}, false},
		"most, little by little": {100, [][2]int{{60, 10}, {60, 10}}, true},
		"long ago":               {100, [][2]int{{90, 2000}, {90, 2000}, {90, 2000}}, false},
		"turned off":             {0, [][2]int{{5000, 0}}, false},
		"mended":                 {100, [][2]int{{500, 0}, {0, 1}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var g guard
			for _, f := range tt.feed {
				g.watch(tt.limit, outcomes(f[0], f[1]))
			}
			if g.tripped != tt.want {
				t.Errorf("tripped %v after %v: %+v", g.tripped, tt.feed, g)
			}
		})
	}
}
