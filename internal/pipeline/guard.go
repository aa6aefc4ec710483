package pipeline

import (
	"fmt"

	"github.com/search-indexer/search-indexer/internal/index"
)

// ReasonFlood is why documents that OpenSearch refuses are tried again and not
// buried: so many are refused that the template must be at fault, not they.
const ReasonFlood = "rejection_flood"

// guardWindow is the number of documents after which older ones count half.
const guardWindow = 1000

// guard keeps a topic from being emptied into the dead letters, as a wrong template
// would do. It trips when OpenSearch has refused both many documents and most of
// them; from then on refused documents wait, and the lane probes, until a request
// comes back without a refusal.
type guard struct {
	refused, all int // documents lately
	tripped      bool
}

// watch counts the outcomes of one request. Where the guard has tripped it turns
// each refusal into a retry. A limit of 0 turns it off.
func (g *guard) watch(limit int, outcomes []Outcome) {
	refused, answered := 0, 0
	for _, out := range outcomes {
		switch out.Result {
		case index.Rejected:
			refused, answered = refused+1, answered+1
		case index.Written, index.Deleted, index.Stale:
			answered++
		case index.Retry: // says nothing of the document
		}
	}
	if answered == 0 || limit == 0 {
		return
	}
	if refused == 0 && g.tripped {
		*g = guard{}
		return
	}
	g.refused, g.all = g.refused+refused, g.all+answered
	g.tripped = g.refused >= limit && 2*g.refused > g.all
	if g.all > guardWindow && !g.tripped {
		g.refused, g.all = g.refused/2, g.all/2
	}
	if g.tripped {
		g.hold(outcomes)
	}
}

func (g *guard) hold(outcomes []Outcome) {
	for i := range outcomes {
		if out := &outcomes[i]; out.Result == index.Rejected {
			out.Result, out.Reason = index.Retry, ReasonFlood
			out.Words = fmt.Sprintf("OpenSearch refused %d of the last %d documents, so the index's mapping seems to be at fault", g.refused, g.all)
		}
	}
}
