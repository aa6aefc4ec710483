package index

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
)

// Drift is how a live index differs from what a new one would be like: OpenSearch
// applies a template when it makes an index, and never again.
type Drift struct {
	Entity      document.Entity
	Index       string
	Differences []Difference // at least one
}

// Difference is one thing that a new index would have otherwise.
type Difference struct {
	What     string    // in words
	addition *addition // nil where only a new index can have it
}

// String says in one line what differs and what applies it.
func (d Drift) String() string {
	const told = 6
	var words []string
	wayOut := "`indexer rebuild` applies the template"
	for i, difference := range d.Differences {
		if i < told {
			words = append(words, difference.What)
		}
		if difference.addition != nil {
			wayOut = "`indexer rebuild` applies the template, `indexer setup --apply` what can be added to an index that stands"
		}
	}
	if more := len(d.Differences) - told; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("index %s differs from its template: %s; %s", d.Index, strings.Join(words, "; "), wayOut)
}

// Drift compares the live index of each entity with what OpenSearch would make of the
// template, that of the operator included, whether it is stored yet or not. Entities
// without drift, or without one clear index, are not in it. It changes nothing.
//
// Not compared are _meta, what OpenSearch itself notes in the settings, and settings
// that the template does not speak of: operators and plugins set those.
func (c *Client) Drift(ctx context.Context) ([]Drift, error) {
	templates, err := c.cfg.loadTemplates()
	if err != nil {
		return nil, err
	}
	live, err := c.indices(ctx, c.aliasNames(), "*.aliases", "*.mappings", "*.settings")
	if err != nil {
		return nil, err
	}
	var all []Drift
	for _, entity := range Entities() {
		s := c.standing(entity, live)
		if s.target == "" {
			continue // that is a problem of its own
		}
		own := templates[entity]
		own.Priority++ // it must win over the stored one, and OpenSearch refuses a tie
		wanted, err := c.simulate(ctx, s.names.Index(time.Now()), encoded(own))
		if err != nil {
			return nil, err
		}
		if found := compare(s.target, wanted, live[s.target].template); len(found) > 0 {
			all = append(all, Drift{Entity: entity, Index: s.target, Differences: found})
		}
	}
	return all, nil
}

// Apply puts into the index what can be added to one that stands: new fields, new
// sub-fields, and settings that OpenSearch lets change. What it refuses is in left, with
// what only a new index can have; left has no Differences where that is all. Documents
// that were written before are not found by a new field until they are written again.
// It may be repeated, also after an error.
func (c *Client) Apply(ctx context.Context, d Drift) (done []Step, left Drift, err error) {
	left = Drift{Entity: d.Entity, Index: d.Index}
	for _, difference := range d.Differences {
		if a := difference.addition; a != nil {
			err := c.ask(ctx, a.request(), nil)
			var refusal *serverError
			switch {
			case err == nil:
				done = append(done, Step{Kind: a.kind, Name: d.Index + " " + a.name, Result: Added})
				continue
			case !errors.As(err, &refusal) || refusal.status != http.StatusBadRequest:
				return done, d, fmt.Errorf("apply the template to index %s: %w", d.Index, err)
			}
			difference.addition = nil // this index can't take it
		}
		left.Differences = append(left.Differences, difference)
	}
	return done, left, nil
}
