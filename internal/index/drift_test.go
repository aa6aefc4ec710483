package index

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/search-indexer/search-indexer/internal/document"
)

// drift returns the differences of each index that has some, in words.
func drift(t *testing.T, c *Client) map[document.Entity][]string {
	t.Helper()
	found, err := c.Drift(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	words := map[document.Entity][]string{}
	for _, d := range found {
		for _, difference := range d.Differences {
			words[d.Entity] = append(words[d.Entity], difference.What)
		}
	}
	return words
}

// changedTemplate writes a post.json, made of the project's own by change, for use as
// OPENSEARCH_TEMPLATE_DIR.
func changedTemplate(t *testing.T, dir string, change func(settings, properties map[string]any)) {
	t.Helper()
	var own template
	if err := (Config{}).readTemplate("post.json", &own); err != nil {
		t.Fatal(err)
	}
	own.Settings = map[string]any{}
	change(own.Settings, own.Mappings["properties"].(map[string]any))
	text, err := json.Marshal(own)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "post.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// spelledOut is a template that says the same as a shorter one: with defaults, numbers
// as texts, settings by their full or short names.
func spelledOut(settings, properties map[string]any) {
	settings["index.max_result_window"] = 20000
	settings["codec"] = "best_compression"
	settings["index"] = map[string]any{"mapping": map[string]any{"total_fields": map[string]any{"limit": "1500"}}}
	properties["views"] = map[string]any{"type": "long", "index": true, "doc_values": "true", "store": false}
	properties["place"] = map[string]any{"type": "object", "dynamic": true, "properties": map[string]any{
		"city": map[string]any{"type": "keyword", "ignore_above": "100"}, "at": map[string]any{"type": "geo_point"},
	}}
	properties["comments"] = map[string]any{"type": "nested", "properties": map[string]any{"text": map[string]any{"type": "text", "index_options": "positions"}}}
}

// TestNoDrift of an index that was just made, by setup or by a rebuild, whatever the
// settings.
func TestNoDrift(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T, *Config){
		"defaults": func(*testing.T, *Config) {},
		"settings": func(_ *testing.T, c *Config) { c.Shards, c.Replicas, c.RefreshInterval = 3, 2, 90*time.Second },
		"templates": func(t *testing.T, c *Config) {
			c.TemplateDir = t.TempDir()
			changedTemplate(t, c.TemplateDir, spelledOut)
		},
		"automatic replicas": func(t *testing.T, c *Config) {
			c.TemplateDir, c.Replicas = t.TempDir(), 1
			changedTemplate(t, c.TemplateDir, func(settings, _ map[string]any) { settings["auto_expand_replicas"] = "0-1" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := realConfig(t)
			change(t, &cfg)
			client := setUp(t, cfg)
			if found := drift(t, client); len(found) > 0 {
				t.Errorf("after setup: %q", found)
			}
			n := client.names(document.Post)
			before := behind(t, client, n.Write)
			next := nextAt(t, client, 0, before)
			if _, err := client.Serve(t.Context(), next); err != nil {
				t.Fatal(err)
			}
			if err := client.Swap(t.Context(), []Swap{{From: before, To: next}}); err != nil {
				t.Fatal(err)
			}
			if found := drift(t, client); len(found) > 0 {
				t.Errorf("after a rebuild: %q", found)
			}
			// What operators, workers and OpenSearch keep in an index is no drift.
			call[any](t, client, http.MethodPut, "/"+next.Index+"/_settings", `{"index.priority":5,"index.blocks.write":true}`)
			call[any](t, client, http.MethodPut, "/"+next.Index+"/_mapping", `{"_meta":{"team":"search"}}`)
			if found := drift(t, client); len(found) > 0 {
				t.Errorf("with an operator's own: %q", found)
			}
		})
	}
}

// driftKinds are changes of template and settings: what they are in words, and whether
// an index that stands can take them.
func driftKinds() []struct {
	name    string
	change  func(c *Config, settings, properties map[string]any)
	says    string
	mending bool
} {
	field := func(properties map[string]any, name string) map[string]any { return properties[name].(map[string]any) }
	return []struct {
		name    string
		change  func(c *Config, settings, properties map[string]any)
		says    string
		mending bool
	}{
		{"new field", func(_ *Config, _, p map[string]any) {
			p["subtitle"] = map[string]any{"type": "text", "analyzer": "russian_english"}
		}, "field subtitle is missing", true},
		{"new sub-field", func(_ *Config, _, p map[string]any) {
			field(p, "title")["fields"].(map[string]any)["raw"] = map[string]any{"type": "keyword", "ignore_above": 100}
		}, "field title.raw is missing", true},
		{"first sub-field", func(_ *Config, _, p map[string]any) {
			field(p, "slug")["fields"] = map[string]any{"text": map[string]any{"type": "text"}}
		}, "field slug.text is missing", true},
		{"new object", func(_ *Config, _, p map[string]any) {
			p["place"] = map[string]any{"properties": map[string]any{"city": map[string]any{"type": "keyword"}}}
		}, "field place is missing", true},
		{"new field with an unknown analyzer", func(_ *Config, s, p map[string]any) {
			s["analysis"] = map[string]any{"analyzer": map[string]any{
				"russian_english": map[string]any{"type": "standard"}, "other": map[string]any{"type": "simple"},
			}, "normalizer": map[string]any{"exact": map[string]any{"type": "custom", "filter": []any{"lowercase"}}}}
			p["subtitle"] = map[string]any{"type": "text", "analyzer": "other"}
		}, "field subtitle is missing; analyzer other is another than in the template; analyzer russian_english is another than in the template;" +
			" char_filter yo is another than in the template; filter english_stem is another than in the template;" +
			" filter russian_stem is another than in the template; and 1 more", false},
		{"type", func(_ *Config, _, p map[string]any) { p["rating"] = map[string]any{"type": "float"} }, "field rating is of type double, the template has float", false},
		{"parameter", func(_ *Config, _, p map[string]any) { field(p, "slug")["ignore_above"] = 256 }, "field slug has ignore_above 8191, the template 256", false},
		{"parameter of a sub-field", func(_ *Config, _, p map[string]any) {
			delete(field(field(p, "title")["fields"].(map[string]any), "exact"), "normalizer")
		}, "field title.exact has normalizer exact, the template unset", false},
		{"field that is gone", func(_ *Config, _, p map[string]any) { delete(p, "language") }, "field language is not in the template", false},
		{"shards", func(c *Config, _, _ map[string]any) { c.Shards = 2 }, "index.number_of_shards is 1, the template has 2", false},
		{"replicas", func(c *Config, _, _ map[string]any) { c.Replicas = 1 }, "index.number_of_replicas is 0, the template has 1", true},
		{"refresh interval", func(c *Config, _, _ map[string]any) { c.RefreshInterval = time.Minute }, "index.refresh_interval is 500ms, the template has 60000ms", true},
		{"another dynamic setting", func(_ *Config, s, _ map[string]any) { s["max_result_window"] = 20000 }, "index.max_result_window is unset, the template has 20000", true},
		{"setting for ever", func(_ *Config, s, _ map[string]any) { s["codec"] = "best_compression" }, "index.codec is unset, the template has best_compression", false},
	}
}

// TestDrift names each kind, and Apply mends what an index that stands can take.
func TestDrift(t *testing.T) {
	t.Parallel()
	for _, kind := range driftKinds() {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			cfg := realConfig(t)
			index := behind(t, setUp(t, cfg), cfg.IndexPrefix+"posts-write")
			origin := Origin{State: OriginDone, Owner: "ann"}
			if err := mustClient(t, cfg).SetOrigin(t.Context(), index, origin); err != nil {
				t.Fatal(err)
			}
			cfg.TemplateDir = t.TempDir()
			changedTemplate(t, cfg.TemplateDir, func(settings, properties map[string]any) { kind.change(&cfg, settings, properties) })
			client := mustClient(t, cfg)
			found, err := client.Drift(t.Context()) // the template is not stored yet
			if err != nil || len(found) == 0 || found[0].Entity != document.Post || found[0].Index != index {
				t.Fatalf("drift %v %v", found, err)
			}
			line := found[0].String()
			if !strings.HasPrefix(line, "index "+index+" differs from its template: "+kind.says+"; `indexer rebuild` applies") || strings.Contains(line, "\n") {
				t.Errorf("said  %s\nwanted %s", line, kind.says)
			}
			if kind.mending != strings.Contains(line, "--apply") && !strings.Contains(kind.name, "unknown") && kind.name != "setting for ever" {
				t.Errorf("%s: mends %t", line, kind.mending) // of these two only OpenSearch knows
			}
			for range 2 { // it may be repeated
				done, left, err := client.Apply(t.Context(), found[0])
				if err != nil || (len(done) == 1) != kind.mending || (len(left.Differences) == 0) != kind.mending || strings.Contains(left.String(), "--apply") {
					t.Errorf("applied %v, left %v, %v", done, left, err)
				}
			}
			if again := drift(t, client); (len(again[document.Post]) == 0) != kind.mending {
				t.Errorf("after apply: %q", again)
			}
			if _, got, err := client.Live(t.Context(), document.Post); err != nil || got.Owner != "ann" {
				t.Errorf("the origin of the index is now %+v %v", got, err)
			}
			mustWrite(t, client, posts(1)...)
		})
	}
}

// TestDriftOfOpenObjects: what documents add to them is no drift.
func TestDriftOfOpenObjects(t *testing.T) {
	t.Parallel()
	cfg := realConfig(t)
	cfg.TemplateDir = t.TempDir()
	changedTemplate(t, cfg.TemplateDir, spelledOut)
	client := setUp(t, cfg)
	mustWrite(t, client, post("1", 1, `{"place":{"street":"a","of":{"name":"b"}}}`))
	index := behind(t, client, client.names(document.Post).Write)
	mapping := fmt.Sprint(call[any](t, client, http.MethodGet, "/"+index+"/_mapping", ""))
	if !strings.Contains(mapping, "street") || !strings.Contains(mapping, "of:") {
		t.Fatalf("nothing was added: %s", mapping)
	}
	if found := drift(t, client); len(found) > 0 {
		t.Errorf("drift %q", found)
	}
	// A field inside is added with what is around it as it is.
	changedTemplate(t, cfg.TemplateDir, func(settings, properties map[string]any) {
		spelledOut(settings, properties)
		properties["comments"].(map[string]any)["properties"].(map[string]any)["by"] = map[string]any{"type": "keyword"}
	})
	found, err := client.Drift(t.Context())
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	done, left, err := client.Apply(t.Context(), found[0])
	if err != nil || len(left.Differences) > 0 || len(done) != 1 || done[0] != (Step{"field", index + " comments.by", Added}) {
		t.Errorf("%v %v %v", done, left, err)
	}
}

// TestDriftNeedsAnAnswer: what can't be told is an error, not the absence of drift.
func TestDriftNeedsAnAnswer(t *testing.T) {
	client := mustClient(t, newFakeServer(t, refuse(http.StatusForbidden, "")).config())
	if found, err := client.Drift(t.Context()); err == nil {
		t.Errorf("drift %v", found)
	}
}

// TestLongDriftStaysShort: many differences are counted.
func TestLongDriftStaysShort(t *testing.T) {
	d := Drift{Index: "i"}
	for i := range 9 {
		d.Differences = append(d.Differences, Difference{What: fmt.Sprintf("d%d", i)})
	}
	if got, want := d.String(), "index i differs from its template: d0; d1; d2; d3; d4; d5; and 3 more; `indexer rebuild` applies the template"; got != want {
		t.Errorf("%s", got)
	}
}
