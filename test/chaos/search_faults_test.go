package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
	"github.com/search-indexer/search-indexer/test/stack"
)

func (r *run) searchFaults() []fault {
	faults := append(linkFaults(r.search),
		fault{"stopped, started", r.away(r.opensearch, stack.OpenSearchService, r.opensearch.Stop)},
		fault{"killed, started", r.away(r.opensearch, stack.OpenSearchService, r.opensearch.Kill)},
		fault{"write block set, lifted", func(ctx context.Context, random *rand.Rand) { r.block(ctx, random, "index.blocks.write") }},
		fault{"disk full block set, lifted", func(ctx context.Context, random *rand.Rand) {
			r.block(ctx, random, "index.blocks.read_only_allow_delete")
		}},
		fault{"write alias removed, restored", r.removeAlias},
		fault{"aliases removed, set up again", r.setUpAgain},
	)
	for _, mode := range refusals() {
		faults = append(faults, fault{mode.name, func(ctx context.Context, random *rand.Rand) {
			r.refuser.mode.Store(&mode)
			defer r.refuser.mode.Store(nil)
			hold(ctx, random, 3*time.Second, 8*time.Second)
		}})
	}
	return faults
}

// do asks OpenSearch for something that must work.
func (r *run) do(method, path, body string, out any) {
	r.t.Helper()
	if err := r.cluster.Do(r.t.Context(), method, path, body, out); err != nil {
		r.t.Errorf("%s %s: %v", method, path, err)
	}
}

// pickAlias returns the read alias of one of the entities.
func pickAlias(random *rand.Rand) string {
	entity := []string{"post", "artist"}[random.IntN(2)]
	return e2e.Aliases(prefix)[entity]
}

func (r *run) block(ctx context.Context, random *rand.Rand, setting string) {
	index := r.indexOf(pickAlias(random))
	r.do(http.MethodPut, "/"+index+"/_settings", fmt.Sprintf(`{%q:true}`, setting), nil)
	hold(ctx, random, 3*time.Second, 8*time.Second)
	r.do(http.MethodPut, "/"+index+"/_settings", fmt.Sprintf(`{%q:null}`, setting), nil)
}

func (r *run) indexOf(alias string) string {
	index, err := r.cluster.Index(r.t.Context(), alias)
	if err != nil {
		r.t.Fatal(err)
	}
	return index
}

// removeAlias takes a write alias away and gives it back as it was.
func (r *run) removeAlias(ctx context.Context, random *rand.Rand) {
	alias := pickAlias(random)
	index := r.indexOf(alias)
	var was map[string]struct {
		Aliases map[string]json.RawMessage `json:"aliases"`
	}
	r.do(http.MethodGet, "/"+index+"/_alias/"+alias+"-write", "", &was)
	r.do(http.MethodDelete, "/"+index+"/_alias/"+alias+"-write", "", nil)
	hold(ctx, random, 3*time.Second, 8*time.Second)
	r.do(http.MethodPut, "/"+index+"/_alias/"+alias+"-write", string(was[index].Aliases[alias+"-write"]), nil)
}

// setUpAgain takes one of an index's two aliases away, which `setup` gives back.
func (r *run) setUpAgain(ctx context.Context, random *rand.Rand) {
	alias := pickAlias(random)
	index := r.indexOf(alias)
	if random.IntN(2) == 0 {
		alias += "-write"
	}
	r.do(http.MethodDelete, "/"+index+"/_alias/"+alias, "", nil)
	hold(ctx, random, 3*time.Second, 8*time.Second)
	r.setup()
}
