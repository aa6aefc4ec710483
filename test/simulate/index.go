package simulate

import (
	"fmt"
	"strings"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

// cluster is OpenSearch. An entity whose index is not there has no alias either.
type cluster struct {
	world   *world
	indices map[string]*physical // by entity
	hidden  map[string]bool      // entities whose alias was taken away
	detour  map[string]*physical // where an alias leads by mistake
	// wrong holds entities whose mapping takes nothing; wasWrong also those that were mended.
	wrong, wasWrong map[string]bool
	made            int
	down            bool
}

// physical is one index.
type physical struct {
	name, uuid string
	docs       map[string]document.State
	loss       string    // what it would lose of a document; nothing that it takes counts
	before     *physical // the one that it was rebuilt from, until both are joined
}

func newCluster(w *world) *cluster {
	c := &cluster{
		world: w, indices: map[string]*physical{}, hidden: map[string]bool{}, detour: map[string]*physical{},
		wrong: map[string]bool{}, wasWrong: map[string]bool{},
	}
	for _, entity := range entities() {
		c.create(entity, entity+"s-1")
	}
	return c
}

func entities() []string { return []string{"artist", "post"} }

func (c *cluster) create(entity, name string) { c.indices[entity] = c.physical(name) }

func (c *cluster) physical(name string) *physical {
	c.made++
	at := &physical{name: name, uuid: fmt.Sprint("uuid", c.made), docs: map[string]document.State{}}
	c.world.say("index", "made %s as %s", at.name, at.uuid)
	return at
}

// behind returns the index behind the write alias, nil where there is none.
func (c *cluster) behind(entity string) *physical {
	switch {
	case c.hidden[entity]:
		return nil
	case c.detour[entity] != nil:
		return c.detour[entity]
	}
	return c.indices[entity]
}

// targets is what a look at the aliases finds.
func (c *cluster) targets() index.Targets {
	found := index.Targets{}
	for _, entity := range entities() {
		if at := c.behind(entity); at != nil {
			found[document.Entity(entity)] = index.Target{Alias: entity + "s-write", Index: at.name, UUID: at.uuid, Loss: at.loss}
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
	joined := document.Join(stored, a.State.Unpack())
	switch {
	case document.Equal(stored, joined):
		return index.Outcome{Result: index.Stale, Index: at.name}
	case poisoned(joined), c.wrong[string(a.Entity)]:
		return index.Outcome{Result: index.Rejected, Reason: index.ReasonRejectedByIndex, Words: "poison"}
	}
	if at.loss == "" {
		at.docs[a.ID] = joined
	}
	if a.State.Head().Visible() {
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
