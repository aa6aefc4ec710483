package chaos

import (
	"context"
	"math/rand/v2"
	"net/http"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// worldFaults need everything else to be in order: they take away what the others
// stand on.
func (r *run) worldFaults() []fault {
	return []fault{
		{"indices deleted, set up again, group sent back", r.startOver},
		{"a topic deleted, made again, workers running", func(_ context.Context, random *rand.Rand) { r.remakeTopic(random, func() {}) }},
		{"a topic deleted, made again, workers stopped", func(_ context.Context, random *rand.Rand) {
			r.remakeTopic(random, r.crew.stopAll)
			r.crew.fill()
		}},
	}
}

// startOver deletes the indices and has the whole log read again. What Redis
// remembers is of the old indices and must not keep anything out of the new ones.
func (r *run) startOver(context.Context, *rand.Rand) {
	r.crew.stopAll()
	for _, alias := range e2e.Aliases(prefix) {
		r.do(http.MethodDelete, "/"+r.indexOf(alias), "", nil)
	}
	r.ledger.indicesGone()
	r.setup()
	// The group is not empty until those that were killed are missed.
	r.await(func() string {
		if err := r.broker.Rewind(r.t.Context(), group); err != nil {
			return err.Error()
		}
		return ""
	}, "the group's offsets to be reset")
	r.crew.fill()
}

// remakeTopic deletes a topic whose records have all ended, and makes it again;
// what is published goes on there.
func (r *run) remakeTopic(random *rand.Rand, before func()) {
	topic := prefix + e2e.Topics[random.IntN(len(e2e.Topics))]
	r.publishing.Lock()
	defer r.publishing.Unlock()
	r.await(r.settled(r.ledger.endsOf(topic)), "the group to have done with "+topic)
	before()
	if err := r.broker.Delete(r.t.Context(), topic); err != nil {
		r.t.Fatal(err)
	}
	r.ledger.topicGone(topic)
	r.await(func() string {
		if err := r.broker.Create(r.t.Context(), partitions, topic); err != nil {
			return err.Error()
		}
		return ""
	}, "the topic to be made again")
	r.await(func() string {
		empty, err := r.broker.Empty(r.t.Context(), partitions, topic)
		switch {
		case err != nil:
			return err.Error()
		case !empty:
			return "it is not"
		}
		return ""
	}, "the topic made again to be empty")
}
