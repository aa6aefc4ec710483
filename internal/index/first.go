package index

import (
	"sync"

	"github.com/search-indexer/search-indexer/internal/document"
)

const (
	// worthACreate is the share of documents that are there already up to which the
	// others gain more by a create than these lose by a second request (decision 11).
	worthACreate = 0.1
	// recent is how many actions it takes until they count as much as all before.
	recent = 1000
)

// firsts guesses which actions are the first of their document, and go as a create.
// What it learns from is how the documents were found, by creates and by scripts, so
// it needs no trials. It is safe for concurrent use.
type firsts struct {
	mu    sync.Mutex
	there map[kind]float64 // share of documents that were there, of late
}

// kind is what is known of an action before it is sent: a created event usually has
// version 0 or 1, and later ones more.
type kind struct {
	entity  document.Entity
	version int64 // 2 stands for all above
	visible bool
}

func kindOf(a *Action) kind {
	const more = 2
	state := a.State.Head()
	return kind{a.Entity, min(state.Version(), more), state.Visible()}
}

// guess returns which of the actions are to go as a create.
func (f *firsts) guess(actions []Action) []bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	create := make([]bool, len(actions))
	for i := range actions {
		create[i] = f.there[kindOf(&actions[i])] <= worthACreate
	}
	return create
}

// learn takes in how the documents of actions were found: made by this write, there
// already, or not known.
func (f *firsts) learn(actions []Action, items []item) {
	type count struct{ there, all float64 }
	counts := map[kind]count{}
	for i := range items {
		c := counts[kindOf(&actions[i])]
		switch items[i].Result {
		case "created":
			c.all++
		case "updated", "noop":
			c.all++
			c.there++
		}
		counts[kindOf(&actions[i])] = c
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, c := range counts {
		f.there[k] = (f.there[k]*recent + c.there) / (recent + c.all)
	}
}
