package simulate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

// cluster is OpenSearch. An entity whose index is not there has no alias either.
type cluster struct {
	world   *world
	indices map[string]*physical // by entity
	hidden  map[string]bool      // entities whose alias was taken away
	made    int
	down    bool
}

// physical is one index.
type physical struct {
	name, uuid string
	docs       map[string]document.State
}

func newCluster(w *world) *cluster {
	c := &cluster{world: w, indices: map[string]*physical{}, hidden: map[string]bool{}}
	for _, entity := range entities() {
		c.create(entity, entity+"s-1")
	}
	return c
}

func entities() []string { return []string{"artist", "post"} }

func (c *cluster) create(entity, name string) {
	c.made++
	c.indices[entity] = &physical{name: name, uuid: fmt.Sprint("uuid", c.made), docs: map[string]document.State{}}
	c.world.say("index", "made %s as %s", name, c.indices[entity].uuid)
}

// behind returns the index behind the write alias, nil where there is none.
func (c *cluster) behind(entity string) *physical {
	if c.hidden[entity] {
		return nil
	}
	return c.indices[entity]
}

// targets is what a look at the aliases finds.
func (c *cluster) targets() index.Targets {
	found := index.Targets{}
	for _, entity := range entities() {
		if at := c.behind(entity); at != nil {
			found[document.Entity(entity)] = index.Target{Alias: entity + "s-write", Index: at.name, UUID: at.uuid}
		}
	}
	return found
}

// apply joins one action into what is stored, as the script does.
func (c *cluster) apply(a *index.Action) index.Outcome {
	at := c.behind(string(a.Entity))
	if at == nil {
		return index.Outcome{Reason: index.ReasonAliasMissing, Words: "no such alias"}
	}
	stored := at.docs[a.ID]
	joined := document.Join(stored, a.State)
	switch {
	case document.Equal(stored, joined):
		return index.Outcome{Result: index.Stale, Index: at.name}
	case poisoned(joined):
		return index.Outcome{Result: index.Rejected, Reason: index.ReasonRejectedByIndex, Words: "poison"}
	}
	at.docs[a.ID] = joined
	if a.State.Visible() {
		return index.Outcome{Result: index.Written, Index: at.name}
	}
	return index.Outcome{Result: index.Deleted, Index: at.name}
}

// poisoned tells a document that an operator's own template would not take.
func poisoned(s document.State) bool {
	for _, f := range s.Fields {
		if strings.HasPrefix(f.Name, "poison") {
			return true
		}
	}
	return false
}

// bulk carries out a request item by item. Each item may fail on its own, also
// after it was applied, as one does whose primary shard moves away.
func (c *cluster) bulk(actions []index.Action) []index.Outcome {
	f := &c.world.faults
	outcomes := make([]index.Outcome, len(actions))
	for i := range actions {
		switch {
		case f.hits(f.ItemFails):
			reasons := []string{index.ReasonThrottled, index.ReasonConflict, index.ReasonUnavailable}
			outcomes[i] = index.Outcome{Reason: reasons[c.world.rand.IntN(len(reasons))]}
		case f.hits(f.ItemLies):
			c.apply(&actions[i])
			outcomes[i] = index.Outcome{Reason: index.ReasonUnavailable}
		default:
			outcomes[i] = c.apply(&actions[i])
		}
		c.world.checks.count("item " + outcomes[i].Result.String())
	}
	return outcomes
}

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
