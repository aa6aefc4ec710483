package index

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
)

// Ready returns what is not as the worker needs it; nothing where all is well.
// It only reads; a template that spoiled since the start is named too, before a
// rebuild trips over it.
func (c *Client) Ready(ctx context.Context) []Problem {
	found := c.templateProblems()
	live, err := c.indices(ctx, c.aliasNames(), "*.aliases", "*.mappings", "*.settings")
	if err != nil {
		return append(found, c.unreachable(err)) // what else is wrong cannot be told
	}
	for _, entity := range Entities() {
		s := c.standing(entity, live)
		found = append(found, s.problems()...)
		if s.target != "" {
			found = append(found, live[s.target].problems(s.target)...)
		}
	}
	return append(found, c.scriptProblems(ctx)...)
}

// problems names what keeps documents out of an index, or would lose them in it.
func (i liveIndex) problems(name string) []Problem {
	var found []Problem
	for _, loss := range i.losses() {
		found = append(found, Problem{
			fmt.Sprintf("index %s would lose data: %s", name, loss),
			"mend its template, then run `indexer setup` and `indexer rebuild`",
		})
	}
	settings := flat(i.Settings)
	if fmt.Sprint(settings["index.verified_before_close"]) == "true" { // there only while it is closed (3.8.0)
		found = append(found, closed(name))
	}
	for _, block := range []string{"write", "read_only", "read_only_allow_delete"} {
		if fmt.Sprint(settings["index.blocks."+block]) != "true" {
			continue
		}
		wayOut := fmt.Sprintf("set index.blocks.%s of it to null when it may be written again", block)
		if block == "read_only_allow_delete" {
			wayOut = "OpenSearch sets this when a disk is nearly full, and takes it back once there is room"
		}
		found = append(found, Problem{fmt.Sprintf("index %s is blocked for writes (index.blocks.%s)", name, block), wayOut})
	}
	return found
}

func closed(name string) Problem {
	return Problem{fmt.Sprintf("index %s is closed", name), "open it by POST /" + name + "/_open"}
}

func (c *Client) templateProblems() []Problem {
	var found []Problem
	if _, err := c.cfg.loadTemplates(); err != nil {
		for fault := range strings.Lines(err.Error()) {
			found = append(found, Problem{strings.TrimSpace(fault), "mend that file before the next setup, start or rebuild"})
		}
	}
	return found
}

func (c *Client) scriptProblems(ctx context.Context) []Problem {
	err := c.ask(ctx, opensearchapi.GetScriptRequest{ScriptID: c.script.id}, nil)
	switch {
	case err == nil:
		return nil
	case isMissing(err):
		return []Problem{{fmt.Sprintf("script %q is not stored", c.script.id), "run `indexer setup`"}}
	}
	return []Problem{c.unreachable(err)}
}

// unreachable says why OpenSearch could not be asked.
func (c *Client) unreachable(err error) Problem {
	var refusal *serverError
	var trust *trustError
	switch {
	case errors.As(err, &trust):
		return Problem{fmt.Sprintf("OpenSearch at %s cannot be talked to safely: %v", strings.Join(c.cfg.URLs, ", "), trust.err), trust.wayOut}
	case !errors.As(err, &refusal):
		return Problem{
			fmt.Sprintf("OpenSearch at %s does not answer: %v", strings.Join(c.cfg.URLs, ", "), err),
			"check OPENSEARCH_URLS and that the cluster is up",
		}
	case refusal.status == http.StatusUnauthorized:
		return Problem{"OpenSearch refuses this login: " + refusal.Error(), "check " + c.cfg.loginSettings()}
	case refusal.status == http.StatusForbidden:
		return Problem{
			"OpenSearch refuses what this login asks: " + refusal.Error(),
			"give its user the permissions that docs/security.md lists, or check " + c.cfg.loginSettings(),
		}
	}
	return Problem{refusal.Error(), "look at OpenSearch's own log and health"}
}
