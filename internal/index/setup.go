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
	Script    string    // id of the stored merge script
	Templates []string  // templates put
	Created   []string  // indices made, with their aliases
	Mended    []string  // indices that got an alias back
	Kept      []string  // indices that stood as they should
	Problems  []Problem // what is left to the operator; setup is done when there is none
}

// Setup stores the merge script and the templates and makes the first index of
// each entity with its aliases. It is safe to repeat and to run twice at a time;
// it changes no existing index but to give it back an alias. What it must not or
// cannot do is in the report's Problems; an error means that OpenSearch could
// not be asked, or that a template file could not be read.
func (c *Client) Setup(ctx context.Context) (SetupReport, error) {
	report := SetupReport{Script: c.script.id}
	if err := c.putScript(ctx); err != nil {
		return report, err
	}
	for _, entity := range Entities() {
		ready, err := c.setupTemplate(ctx, entity, &report)
		if err != nil {
			return report, err
		}
		if !ready {
			continue
		}
		if err := c.setupIndex(ctx, entity, &report); err != nil {
			return report, err
		}
	}
	return report, nil
}

func (c *Client) putScript(ctx context.Context) error {
	body := encoded(map[string]any{"script": map[string]any{"lang": "painless", "source": c.script.text}})
	// The context makes OpenSearch compile the script now, not at the first write.
	request := opensearchapi.PutScriptRequest{ScriptID: c.script.id, ScriptContext: "update", Body: body}
	if err := c.ask(ctx, request, nil); err != nil {
		return fmt.Errorf("store merge script: %w", err)
	}
	return nil
}

// setupTemplate puts the template of entity and looks at what a new index would
// become with it, other templates of the cluster included. It reports whether an
// index may be made.
func (c *Client) setupTemplate(ctx context.Context, entity document.Entity, report *SetupReport) (bool, error) {
	n := c.names(entity)
	own, err := c.loadTemplate(n)
	if err != nil {
		return false, err
	}
	if lost := own.Template.losses(); len(lost) > 0 {
		report.Problems = append(report.Problems, lossy("template file "+n.file, lost)...)
		return false, nil
	}
	put := opensearchapi.IndicesPutIndexTemplateRequest{Name: n.Template, Body: encoded(own)}
	if err := c.ask(ctx, put, nil); err != nil {
		return false, c.orProblem(err, report, fmt.Sprintf("template %q was refused", n.Template),
			"mend the template file, or give the other template that it names another priority")
	}
	report.Templates = append(report.Templates, n.Template)

	var simulated struct {
		Template template `json:"template"`
	}
	simulate := opensearchapi.IndicesSimulateIndexTemplateRequest{Name: n.Index(time.Now())}
	if err := c.ask(ctx, simulate, &simulated); err != nil {
		return false, fmt.Errorf("simulate template %q: %w", n.Template, err)
	}
	lost := simulated.Template.losses()
	report.Problems = append(report.Problems, lossy("an index matching "+n.Pattern+" (look for templates of higher priority)", lost)...)
	return len(lost) == 0, nil
}

// setupIndex brings one index behind both aliases of entity.
func (c *Client) setupIndex(ctx context.Context, entity document.Entity, report *SetupReport) error {
	live, err := c.indices(ctx, c.aliasNames())
	if err != nil {
		return err
	}
	s := c.standing(entity, live)
	found := s.problems()
	switch only := s.only(); {
	case len(found) == 0:
		report.Kept = append(report.Kept, s.target)
		return nil
	case len(s.obstacles) > 0 || len(s.read)+len(s.write) > 0 && only == "":
		report.Problems = append(report.Problems, found...)
		return nil
	case only != "":
		if err := c.putAliases(ctx, s.names, only); err != nil {
			return c.orProblem(err, report, fmt.Sprintf("aliases of %s were refused", only), "see the words of OpenSearch")
		}
		report.Mended = append(report.Mended, only)
		return nil
	}
	return c.createIndex(ctx, entity, report)
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
		report.Created = append(report.Created, name)
		return nil
	}
	live, err := c.indices(ctx, c.aliasNames())
	if err != nil {
		return err
	}
	if s := c.standing(entity, live); len(s.problems()) == 0 {
		report.Kept = append(report.Kept, s.target)
		return nil
	}
	return c.orProblem(refusal, report, fmt.Sprintf("index %q was refused", name), "see the words of OpenSearch")
}

func (c *Client) putAliases(ctx context.Context, n Names, index string) error {
	add := func(alias string, more map[string]any) map[string]any {
		more["index"], more["alias"] = index, alias
		return map[string]any{"add": more}
	}
	body := encoded(map[string]any{"actions": []any{
		add(n.Read, map[string]any{"filter": hideTombstones()}),
		add(n.Write, map[string]any{"is_write_index": true}),
	}})
	return c.ask(ctx, opensearchapi.IndicesUpdateAliasesRequest{Body: body}, nil)
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

func hideTombstones() map[string]any {
	deleted := map[string]any{"term": map[string]any{document.SyncField + ".deleted": true}}
	return map[string]any{"bool": map[string]any{"must_not": deleted}}
}

func lossy(what string, losses []string) []Problem {
	var found []Problem
	for _, loss := range losses {
		found = append(found, Problem{fmt.Sprintf("%s would lose data: %s", what, loss), "take that out, then run `indexer setup`"})
	}
	return found
}

// encoded returns v as the body of a request. It is only given maps, texts and
// numbers, which cannot fail.
func encoded(v any) *bytes.Reader {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic("index: encode request: " + err.Error())
	}
	return bytes.NewReader(text)
}
