package index

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
)

// wantProblem checks that exactly one problem is named, with all the words.
func wantProblem(t *testing.T, got []Problem, words ...string) {
	t.Helper()
	if len(got) != 1 {
		t.Errorf("problems %q, want one with %q", got, words)
		return
	}
	for _, word := range words {
		if !strings.Contains(got[0].String(), word) {
			t.Errorf("problem %q lacks %q", got[0], word)
		}
	}
	if got[0].WayOut == "" {
		t.Errorf("problem %q has no way out", got[0])
	}
}

// wantIndices checks how many indices of an entity there are.
func wantIndices(t *testing.T, c *Client, entity document.Entity, want int) {
	t.Helper()
	found := call[map[string]any](t, c, http.MethodGet, "/"+c.names(entity).Pattern+"?filter_path=*.settings.index.uuid", "")
	if len(found) != want {
		t.Errorf("indices of %s: %v, want %d", entity, found, want)
	}
}

func TestSetupIsRepeatable(t *testing.T) {
	client := mustClient(t, realConfig(t))
	first, err := client.Setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	posts, artists := behind(t, client, client.names(document.Post).Read), behind(t, client, client.names(document.Artist).Read)
	prefix := client.cfg.IndexPrefix
	steps := func(stored, created StepResult) SetupReport {
		var want SetupReport
		for _, n := range []struct{ name, index string }{{prefix + "posts", posts}, {prefix + "artists", artists}} {
			want.add("template", n.name, stored)
			want.add("index", n.index, created)
			want.add("alias", n.name+" -> "+n.index, created)
			want.add("alias", n.name+"-write -> "+n.index, created)
		}
		return want
	}
	if first.Steps[0].Kind != "script" || first.Steps[0].Name != mergeScript().id {
		t.Errorf("first: %+v", first.Steps[0]) // stored or not: other tests share it
	}
	first.Steps = first.Steps[1:]
	if diff := cmp.Diff(steps(Saved, Created), first); diff != "" {
		t.Errorf("first: %s", diff)
	}
	if found := client.Ready(t.Context()); len(found) > 0 {
		t.Errorf("after setup: %q", found)
	}
	again, err := client.Setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := steps(Unchanged, Kept)
	want.Steps = append([]Step{{"script", mergeScript().id, Unchanged}}, want.Steps...)
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("again: %s", diff)
	}

	client.cfg.Shards = 2
	changed, err := client.Setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want = steps(Saved, Kept)
	if diff := cmp.Diff(want.Steps, changed.Steps[1:]); diff != "" {
		t.Errorf("with other settings: %s", diff)
	}
}

func TestSetupsAtOnce(t *testing.T) {
	cfg := realConfig(t)
	var group sync.WaitGroup
	for range 4 {
		client := mustClient(t, cfg)
		group.Go(func() {
			if report, err := client.Setup(t.Context()); err != nil || len(report.Problems) > 0 {
				t.Errorf("%v, %q", err, report.Problems)
			}
		})
	}
	group.Wait()
	client := mustClient(t, cfg)
	for _, entity := range Entities() {
		wantIndices(t, client, entity, 1)
	}
	if found := client.Ready(t.Context()); len(found) > 0 {
		t.Errorf("after setups: %q", found)
	}
}

// TestSecondCreateIsRefused: the second create is refused by OpenSearch itself, which
// no timing of goroutines can promise to show.
func TestSecondCreateIsRefused(t *testing.T) {
	client := setUp(t, realConfig(t))
	n := client.names(document.Post)
	before := behind(t, client, n.Write)
	call[any](t, client, http.MethodPut, "/"+n.Read+"-unrelated", "")
	var report, want SetupReport
	for range 2 { // in the same second and the next, the name may be the same or not
		if err := client.createIndex(t.Context(), document.Post, &report); err != nil {
			t.Fatal(err)
		}
		want.addIndex(before, n, Kept, Kept)
	}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Error(diff)
	}
	wantIndices(t, client, document.Post, 1)
}

func TestObstacle(t *testing.T) {
	client := mustClient(t, realConfig(t))
	posts := client.names(document.Post).Read
	call[any](t, client, http.MethodPut, "/"+posts, `{"settings":{"number_of_replicas":0}}`)
	report, err := client.Setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, report.Problems, `"`+posts+`" is an index`, "reindex", "OPENSEARCH_INDEX_PREFIX")
	wantIndices(t, client, document.Post, 0)
	wantIndices(t, client, document.Artist, 1)
	wantProblem(t, client.Ready(t.Context()), `"`+posts+`" is an index`)
}

// TestSetupGivesAnAliasBack: to the index that has the documents, not to a new
// one.
func TestSetupGivesAnAliasBack(t *testing.T) {
	client := setUp(t, realConfig(t))
	n := client.names(document.Post)
	index := behind(t, client, n.Write)
	for _, alias := range []string{n.Read, n.Write} {
		call[any](t, client, http.MethodDelete, "/"+index+"/_alias/"+alias, "")
		wantProblem(t, client.Ready(t.Context()), fmt.Sprintf("alias %q is missing", alias), "indexer setup")
		report, err := client.Setup(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := (Step{"alias", alias + " -> " + index, Mended}); !slices.Contains(report.Steps, want) {
			t.Errorf("%+v lacks %+v", report.Steps, want)
		}
		if found := client.Ready(t.Context()); len(found) > 0 {
			t.Errorf("after setup: %q", found)
		}
	}
	wantIndices(t, client, document.Post, 1)
}

// lossyMappings are templates that setup must refuse, by what it has to name.
func lossyMappings() map[string]string {
	ours := `"properties":{"_sync":{"dynamic":false,"properties":{"deleted":{"type":"boolean"},"deleted_at":{"type":"date","format":"epoch_millis"},"orders":{"type":"object","enabled":false}}}}`
	return map[string]string{
		`"enabled":false`:              `{"mappings":{"_source":{"enabled":false},` + ours + `}}`,
		`"includes":["title"]`:         `{"mappings":{"_source":{"includes":["title"]},` + ours + `}}`,
		`"excludes":["content"]`:       `{"mappings":{"_source":{"excludes":["content"]},` + ours + `}}`,
		"index.derived_source.enabled": `{"settings":{"derived_source":{"enabled":true}},"mappings":{` + ours + `}}`,
		"index.default_pipeline":       `{"settings":{"index":{"default_pipeline":"p"}},"mappings":{` + ours + `}}`,
		"index.final_pipeline":         `{"settings":{"index.final_pipeline":"p"},"mappings":{` + ours + `}}`,
		"index.append_only.enabled":    `{"settings":{"index.append_only.enabled":"true"},"mappings":{` + ours + `}}`,
		"_routing":                     `{"mappings":{"_routing":{"required":true},` + ours + `}}`,
		`_sync is not mapped, add to mappings.properties: "_sync": {"dynamic":false,"properties":{`: `{"mappings":{"properties":{"title":{"type":"text"}}}}`,
		`_sync is mapped as {`:         `{"mappings":{"properties":{"_sync":{"enabled":false}}}}`,
		`"deleted":{"type":"keyword"}`: `{"mappings":{` + strings.Replace(ours, "boolean", "keyword", 1) + `}}`,
	}
}

func TestLossyTemplateFile(t *testing.T) {
	cfg := realConfig(t)
	for words, text := range lossyMappings() {
		t.Run(words, func(t *testing.T) {
			cfg := cfg
			cfg.TemplateDir = t.TempDir()
			if err := os.WriteFile(filepath.Join(cfg.TemplateDir, "post.json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			const fault = "OPENSEARCH_TEMPLATE_DIR: post.json would lose data: "
			if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), fault) || !strings.Contains(err.Error(), words) {
				t.Errorf("validate: %v", err)
			}
			client := mustClient(t, cfg)
			report, err := client.Setup(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), fault) || len(report.Steps) > 0 {
				t.Errorf("setup: %v, done %+v", err, report.Steps)
			}
			wantIndices(t, client, document.Post, 0)
			wantIndices(t, client, document.Artist, 0)
		})
	}
}

// TestLossyNeighbour: another template of higher priority takes part in a new
// index.
func TestLossyNeighbour(t *testing.T) {
	client := mustClient(t, realConfig(t))
	prefix := client.cfg.IndexPrefix
	other := func(priority int) string {
		return fmt.Sprintf(`{"index_patterns":["%sposts*"],"priority":%d,"template":{"settings":{"default_pipeline":"p"}}}`, prefix, priority)
	}
	call[any](t, client, http.MethodPut, "/_index_template/"+prefix+"other", other(templatePriority+1))
	report, err := client.Setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Problems) != 2 { // the pipeline, and _sync that is not mapped
		t.Errorf("problems %q", report.Problems)
	}
	wantProblem(t, report.Problems[:1], "higher priority", "index.default_pipeline is p")
	wantIndices(t, client, document.Post, 0)

	removeAll(t, client)
	call[any](t, client, http.MethodPut, "/_index_template/"+prefix+"other", other(templatePriority))
	if report, err = client.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, report.Problems, `template "`+prefix+`posts" was refused`, prefix+"other", "priority")
	wantIndices(t, client, document.Post, 0)
}

// TestSetupNamesTheFaultsOfAnIndexThatStands: with the same words as Ready.
func TestSetupNamesTheFaultsOfAnIndexThatStands(t *testing.T) {
	client := setUp(t, realConfig(t))
	index := behind(t, client, client.names(document.Post).Write)
	call[any](t, client, http.MethodPut, "/"+index+"/_settings", `{"index.default_pipeline":"p"}`)
	report, err := client.Setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, report.Problems, "index "+index+" would lose data", "index.default_pipeline is p", "indexer rebuild")
	if diff := cmp.Diff(client.Ready(t.Context()), report.Problems); diff != "" {
		t.Error(diff)
	}
}

// TestSetupMendsABarredAlias: an alias whose only index was said to take no writes
// refuses every one.
func TestSetupMendsABarredAlias(t *testing.T) {
	client := setUp(t, realConfig(t))
	n := client.names(document.Post)
	index := behind(t, client, n.Write)
	call[any](t, client, http.MethodPost, "/_aliases", fmt.Sprintf(`{"actions":[{"add":{"index":%q,"alias":%q,"is_write_index":false}}]}`, index, n.Write))
	wantProblem(t, client.Ready(t.Context()), n.Write, index, "is_write_index")
	if got := NewWriter(client).Write(t.Context(), t.Name(), posts(1))[0]; got.Result != Retry {
		t.Errorf("write: %+v", got)
	}
	report, err := client.Setup(t.Context())
	if err != nil || len(report.Problems) > 0 {
		t.Fatalf("%v, %q", err, report.Problems)
	}
	if want := (Step{"alias", n.Write + " -> " + index, Mended}); !slices.Contains(report.Steps, want) {
		t.Errorf("%+v lacks %+v", report.Steps, want)
	}
	mustWrite(t, client, posts(1)...)
}

// TestSetupReportsOnlyWhatItDid: the script could not be stored.
func TestSetupReportsOnlyWhatItDid(t *testing.T) {
	client := mustClient(t, newFakeServer(t, refuse(http.StatusServiceUnavailable, "")).config())
	if report, err := client.Setup(t.Context()); err == nil || len(report.Steps) > 0 {
		t.Errorf("%v, %+v", err, report)
	}
}
