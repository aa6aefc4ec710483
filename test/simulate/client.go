package simulate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/search-indexer/search-indexer/internal/index"
)

// writer is the side of one process, as internal/index has it.
type writer struct {
	process *process
}

// Write sends one bulk request. One that fails as a whole may have been applied in
// all, in part, or not at all; or it is applied when nobody waits for it any more.
func (wr writer) Write(ctx context.Context, _ string, actions []index.Action) []index.Outcome {
	w := wr.process.world
	w.checks.write(wr.process, actions)
	defer wr.process.wrote(actions)
	outcomes := make([]index.Outcome, len(actions))
	fill := func(reason string) {
		w.checks.count("whole request " + reason)
		for i := range outcomes {
			outcomes[i] = index.Outcome{Reason: reason}
		}
	}
	if !await(ctx, func(resume func()) {
		w.after(w.faults.delay(indexCall), func() {
			f := &w.faults
			switch {
			case w.cluster.down || f.hits(f.BulkFails):
				fill(index.ReasonUnavailable)
			case f.hits(f.BulkLies):
				w.cluster.bulk(actions[:w.rand.IntN(len(actions)+1)])
				fill(index.ReasonNetwork)
			case f.hits(f.BulkLate):
				w.after(w.upTo(f.end), func() { w.cluster.bulk(actions) })
				fill(index.ReasonNetwork)
			default:
				copy(outcomes, w.cluster.bulk(actions))
			}
			w.say(wr.process.name, "index answers %s", describe(actions, outcomes))
			w.after(w.faults.delay(indexCall), resume)
		})
	}) {
		return slices.Repeat([]index.Outcome{{Reason: index.ReasonNetwork}}, len(actions))
	}
	return outcomes
}

// wrote notes that a bulk request has ended for its process.
func (p *process) wrote(actions []index.Action) {
	p.writes = slices.DeleteFunc(p.writes, func(w []index.Action) bool { return &w[0] == &actions[0] })
}

func describe(actions []index.Action, outcomes []index.Outcome) fmt.Stringer {
	return lazily(func() string {
		var b strings.Builder
		for i := range actions {
			fmt.Fprintf(&b, " %s:%s", actions[i].Key, outcomes[i].Result)
			if outcomes[i].Reason != "" {
				fmt.Fprintf(&b, "(%s)", outcomes[i].Reason)
			}
		}
		return b.String()
	})
}

// lazily is text that is made when somebody reads it.
type lazily func() string

func (l lazily) String() string { return l() }

// catalog is what one process knows of the aliases, as index.Catalog does.
type catalog struct {
	process *process
	last    index.Targets
}

var errNoAnswer = errors.New("no answer")

// Refresh reads the aliases at one moment and learns of it at a later one, maybe
// after the answer to a later question.
func (c *catalog) Refresh(ctx context.Context) (index.Targets, error) {
	w := c.process.world
	var found index.Targets
	err := errNoAnswer
	if !await(ctx, func(resume func()) {
		w.after(w.faults.delay(indexCall), func() {
			if !w.cluster.down && !w.faults.hits(w.faults.RefreshFails) {
				found, err = w.cluster.targets(), nil
			}
			w.after(w.faults.delay(indexCall), resume)
		})
	}) {
		return nil, ctx.Err()
	}
	if err == nil {
		c.last = maps.Clone(found)
	}
	return found, err
}

func (c *catalog) Last() index.Targets { return c.last }
