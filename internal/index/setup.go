package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"

	"github.com/search-indexer/search-indexer/internal/document"
)

// SetupReport says what Setup found and did, in names for a person to read.
type SetupReport struct {
	Steps    []Step    // in the order in which they were done
	Problems []Problem // what is left to the operator; setup is done when there is none
}

// Step is one thing that stands now, and what Setup had to do for it.
type Step struct {
	Kind   string // script, template, index, alias, field or setting
	Name   string // of an alias with the index that it leads to, of a field or setting with its own
	Result StepResult
}

// StepResult says what Setup had to do for a thing.
type StepResult string

// What Setup does.
const (
	Saved     StepResult = "stored"    // was missing or another
	Unchanged StepResult = "unchanged" // was stored before
	Created   StepResult = "created"
	Kept      StepResult = "kept"   // stood as it should
	Mended    StepResult = "mended" // was missing or could not be used
	Added     StepResult = "added"  // to an index that stands
)

func (r *SetupReport) add(kind, name string, result StepResult) {
	r.Steps = append(r.Steps, Step{Kind: kind, Name: name, Result: result})
}

// addIndex reports an index and the aliases that lead to it.
func (r *SetupReport) addIndex(name string, n Names, made, aliased StepResult) {
	r.add("index", name, made)
	r.add("alias", n.Read+" -> "+name, aliased)
	r.add("alias", n.Write+" -> "+name, aliased)
}

// Setup stores the merge script and the templates and makes the first index of
// each entity with its aliases. It is safe to repeat and to run twice at a time;
// it changes no existing index but to mend its aliases. What it must not or
// cannot do is in the report's Problems, with all that [Client.Ready] finds of an
// index that stands; an error means that OpenSearch could not be asked, or that a
// template file cannot be used, in which case nothing was made.
func (c *Client) Setup(ctx context.Context) (SetupReport, error) {
	var report SetupReport
	templates, err := c.cfg.loadTemplates()
	if err != nil {
		return report, err
	}
	if err := c.setupScript(ctx, &report); err != nil {
		return report, err
	}
	for _, entity := range Entities() {
		sound, err := c.setupTemplate(ctx, c.names(entity), templates[entity], &report)
		if err != nil {
			return report, err
		}
		if err := c.setupIndex(ctx, entity, sound, &report); err != nil {
			return report, err
		}
	}
	return report, nil
}

// setupIndex brings one index behind both aliases of entity. It makes a new one
// only from a sound template.
func (c *Client) setupIndex(ctx context.Context, entity document.Entity, sound bool, report *SetupReport) error {
	live, err := c.indices(ctx, c.aliasNames())
	if err != nil {
		return err
	}
	s := c.standing(entity, live)
	found := s.problems()
	switch only := s.only(); {
	case len(found) == 0:
		report.keep(s, live)
	case len(s.obstacles) > 0 || len(s.read)+len(s.write) > 0 && only == "":
		report.Problems = append(report.Problems, found...)
	case only != "":
		if err := c.updateAliases(ctx, liveAliases(s.names, only)...); err != nil {
			return c.orProblem(err, report, fmt.Sprintf("aliases of %s were refused", only), "see the words of OpenSearch")
		}
		report.addIndex(only, s.names, Kept, Mended)
		report.Problems = append(report.Problems, live[only].problems(only)...)
	case sound:
		return c.createIndex(ctx, entity, report)
	}
	return nil
}

// keep reports an index that stands, with what is wrong with it all the same.
func (r *SetupReport) keep(s standing, live map[string]liveIndex) {
	r.addIndex(s.target, s.names, Kept, Kept)
	r.Problems = append(r.Problems, live[s.target].problems(s.target)...)
}

// only returns the one index behind whatever aliases there are, "" where there
// is none or more than one.
func (s standing) only() string {
	var only string
	for _, name := range append(append([]string{}, s.read...), s.write...) {
		if only != "" && only != name {
			return ""
		}
		only = name
	}
	return only
}

// createIndex makes the first index with both aliases in one request. Since an
// alias can have one write index only, of two setups at a time one is refused
// (500 illegal_state_exception on 3.8.0), unless they made the same name (400).
func (c *Client) createIndex(ctx context.Context, entity document.Entity, report *SetupReport) error {
	n := c.names(entity)
	name := n.Index(time.Now())
	body := encoded(map[string]any{"aliases": map[string]any{
		n.Read:  map[string]any{"filter": hideTombstones()},
		n.Write: map[string]any{"is_write_index": true},
	}})
	refusal := c.ask(ctx, opensearchapi.IndicesCreateRequest{Index: name, Body: body}, nil)
	if refusal == nil {
		report.addIndex(name, n, Created, Created)
		return nil
	}
	live, err := c.indices(ctx, c.aliasNames())
	if err != nil {
		return err
	}
	if s := c.standing(entity, live); len(s.problems()) == 0 {
		report.keep(s, live)
		return nil
	}
	return c.orProblem(refusal, report, fmt.Sprintf("index %q was refused", name), "see the words of OpenSearch")
}

// orProblem files a refusal by the server (4xx or 5xx to this one request) as a
// problem of the report, and returns any other error, logins among them.
func (c *Client) orProblem(err error, report *SetupReport, what, wayOut string) error {
	var refusal *serverError
	if !errors.As(err, &refusal) || refusal.status == http.StatusUnauthorized || refusal.status == http.StatusForbidden {
		return err
	}
	report.Problems = append(report.Problems, Problem{what + ": " + refusal.fault.words(), wayOut})
	return nil
}

// encoded returns v as the body of a request. It is only given maps, texts,
// numbers and structs of these, which cannot fail.
func encoded(v any) *bytes.Reader {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic("index: encode request: " + err.Error())
	}
	return bytes.NewReader(text)
}
