package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
)

// setupScript stores the merge script, unless it is stored.
func (c *Client) setupScript(ctx context.Context, report *SetupReport) error {
	var stored struct {
		Script struct {
			Source string `json:"source"`
		} `json:"script"`
	}
	err := c.ask(ctx, opensearchapi.GetScriptRequest{ScriptID: c.script.id}, &stored)
	switch {
	case err == nil && stored.Script.Source == c.script.text:
		report.add("script", c.script.id, Unchanged)
		return nil
	case err != nil && !isMissing(err):
		return fmt.Errorf("look for the merge script: %w", err)
	}
	body := encoded(map[string]any{"script": map[string]any{"lang": "painless", "source": c.script.text}})
	// The context makes OpenSearch compile the script now, not at the first write.
	request := opensearchapi.PutScriptRequest{ScriptID: c.script.id, ScriptContext: "update", Body: body}
	if err := c.ask(ctx, request, nil); err != nil {
		return fmt.Errorf("store merge script: %w", err)
	}
	report.add("script", c.script.id, Saved)
	return nil
}

// setupTemplate stores a template, unless it is stored, and looks at what a new
// index would become with it, other templates of the cluster included. It reports
// whether an index may be made.
func (c *Client) setupTemplate(ctx context.Context, n Names, own indexTemplate, report *SetupReport) (sound bool, err error) {
	stored, err := c.storedTemplate(ctx, n.Template)
	if err != nil {
		return false, err
	}
	result := Unchanged
	if !stored.equals(own) {
		put := opensearchapi.IndicesPutIndexTemplateRequest{Name: n.Template, Body: encoded(own)}
		if err := c.ask(ctx, put, nil); err != nil {
			return false, c.orProblem(err, report, fmt.Sprintf("template %q was refused", n.Template),
				"mend the template file, or give the other template that it names another priority")
		}
		result = Saved
	}
	report.add("template", n.Template, result)

	simulated, err := c.simulate(ctx, n.Index(time.Now()), nil)
	if err != nil {
		return false, err
	}
	lost := simulated.losses()
	for _, loss := range lost {
		report.Problems = append(report.Problems, Problem{
			fmt.Sprintf("an index matching %s (look for templates of higher priority) would lose data: %s", n.Pattern, loss),
			"take that out, then run `indexer setup`",
		})
	}
	return len(lost) == 0, nil
}

// simulate returns what an index of that name would be made like, with one more
// template if there is a body.
func (c *Client) simulate(ctx context.Context, index string, body io.Reader) (template, error) {
	var answer struct {
		Template template `json:"template"`
	}
	if err := c.ask(ctx, opensearchapi.IndicesSimulateIndexTemplateRequest{Name: index, Body: body}, &answer); err != nil {
		return template{}, fmt.Errorf("simulate the templates for index %q: %w", index, err)
	}
	return answer.Template, nil
}

// storedTemplate returns the template of that name in the cluster, an empty one
// where there is none.
func (c *Client) storedTemplate(ctx context.Context, name string) (indexTemplate, error) {
	var found struct {
		Templates []struct {
			Template indexTemplate `json:"index_template"`
		} `json:"index_templates"`
	}
	err := c.ask(ctx, opensearchapi.IndicesGetIndexTemplateRequest{Name: []string{name}}, &found)
	switch {
	case err != nil && !isMissing(err):
		return indexTemplate{}, fmt.Errorf("look for template %q: %w", name, err)
	case len(found.Templates) == 0:
		return indexTemplate{}, nil
	}
	return found.Templates[0].Template, nil
}

// equals reports whether both make the same index. OpenSearch gives settings back
// nested and as texts.
func (t indexTemplate) equals(other indexTemplate) bool {
	return slices.Equal(t.Patterns, other.Patterns) && t.Priority == other.Priority &&
		reflect.DeepEqual(t.Meta, other.Meta) &&
		reflect.DeepEqual(plain(flat(t.Template.Settings)), plain(flat(other.Template.Settings))) &&
		reflect.DeepEqual(plain(t.Template.Mappings), plain(other.Template.Mappings))
}

func isMissing(err error) bool {
	var refusal *serverError
	return errors.As(err, &refusal) && refusal.status == http.StatusNotFound
}
