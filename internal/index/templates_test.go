package index

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/search-indexer/search-indexer/internal/document"
)

func mustWrite(t *testing.T, c *Client, actions ...Action) {
	t.Helper()
	for i, o := range NewWriter(c).Write(t.Context(), t.Name(), actions) {
		if o.Result != Written && o.Result != Deleted {
			t.Fatalf("%s: %+v", actions[i].Key, o)
		}
	}
}

func TestSearchByStem(t *testing.T) {
	client := setUp(t, realConfig(t))
	mustWrite(t, client,
		post("ru", 1, `{"title":"Новые концерты ЁЛКИ в Москве","content":"Музыканты выступали"}`),
		post("decomposed", 1, `{"title":"`+"е\u0308лка"+`"}`),
		post("en", 1, `{"title":"Running Bands","summary":"Touring the cities"}`),
	)
	refresh(t, client)
	for query, want := range map[string][]string{
		"концерт":     {"ru"},
		"КОНЦЕРТАМИ":  {"ru"},
		"музыкантами": {"ru"},
		"елки":        {"decomposed", "ru"},
		"ёлка":        {"decomposed", "ru"},
		"band":        {"en"},
		"runs":        {"en"},
		"city tours":  {"en"},
		"велосипед":   {},
	} {
		text := fmt.Sprintf(`{"query":{"multi_match":{"query":%q,"type":"cross_fields","operator":"and","fields":["title","content","summary"]}},"sort":["title.exact"]}`, query)
		got := hits(t, client, client.names(document.Post).Read, text)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: want (-), got (+): %s", query, diff)
		}
	}
}

func TestSortByTitle(t *testing.T) {
	client := setUp(t, realConfig(t))
	mustWrite(t, client,
		post("3", 1, `{"title":"яблоко"}`), post("1", 1, `{"title":"Ежик"}`), post("2", 1, `{"title":"ёлка"}`),
		post("long", 1, `{"title":"`+strings.Repeat("ё", 100000)+`"}`), // past ignore_above: sorts last
	)
	refresh(t, client)
	got := hits(t, client, client.names(document.Post).Read, `{"sort":[{"title.exact":{"missing":"_last"}}]}`)
	if diff := cmp.Diff([]string{"1", "2", "3", "long"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestDates: what an RFC 3339 text, with all that ISO 8601 writers do to it, or a
// number of milliseconds, is found at.
func TestDates(t *testing.T) {
	client := setUp(t, realConfig(t))
	texts := map[string]string{}
	for _, separator := range []string{"T", "t", " "} {
		for _, zone := range []string{"", "Z", "z", "+00:00", "-00:00", "+0000", "+00"} {
			texts["2024-02-29"+separator+"12:00"+zone] = "2024-02-29T12:00:00.000Z"
			texts["2024-02-29"+separator+"12:00:00"+zone] = "2024-02-29T12:00:00.000Z"
			for digits := 1; digits <= 9; digits++ {
				fraction := "123456789"[:digits]
				texts["2024-02-29"+separator+"12:00:00."+fraction+zone] = "2024-02-29T12:00:00." + (fraction + "00")[:3] + "Z"
			}
		}
		texts["2024-02-29"+separator+"12:00:00+18:00"] = "2024-02-28T18:00:00.000Z"
		texts["2024-02-29"+separator+"12:00:00.5-18:00"] = "2024-03-01T06:00:00.500Z"
		texts["0000-01-01"+separator+"00:00:00Z"] = "0000-01-01T00:00:00.000Z"
		texts["9999-12-31"+separator+"23:59:59.999999999Z"] = "9999-12-31T23:59:59.999Z"
	}
	texts["2024-02-29"] = "2024-02-29T00:00:00.000Z"
	values := map[string]string{"0": "1970-01-01T00:00:00.000Z", "2024": "1970-01-01T00:00:02.024Z", "-1": "1969-12-31T23:59:59.999Z", "1709208000000": "2024-02-29T12:00:00.000Z", "null": ""}
	for text, want := range texts {
		values[`"`+text+`"`] = want
	}
	var actions []Action
	for value := range values {
		actions = append(actions, post(value, 1, `{"created_at":`+value+`}`))
	}
	mustWrite(t, client, actions...)
	refresh(t, client)
	found := call[struct {
		Hits struct {
			Hits []struct {
				ID     string              `json:"_id"`
				Fields map[string][]string `json:"fields"`
			} `json:"hits"`
		} `json:"hits"`
	}](t, client, http.MethodPost, "/"+client.names(document.Post).Read+"/_search",
		`{"size":1000,"_source":false,"docvalue_fields":[{"field":"created_at","format":"strict_date_optional_time"}]}`)
	if len(found.Hits.Hits) != len(values) {
		t.Errorf("%d documents, want %d", len(found.Hits.Hits), len(values))
	}
	for _, hit := range found.Hits.Hits {
		if got := strings.Join(hit.Fields["created_at"], ""); got != values[hit.ID] {
			t.Errorf("%s is found at %q, want %q", hit.ID, got, values[hit.ID])
		}
	}
	shown := call[map[string]any](t, client, http.MethodPost, "/"+client.names(document.Post).Read+"/_search?filter_path=hits.hits.fields",
		`{"query":{"ids":{"values":["\"2024-02-29T12:00:00.123456789Z\""]}},"docvalue_fields":["created_at"]}`)
	if got, want := fmt.Sprint(shown), "map[hits:map[hits:[map[fields:map[created_at:[1709208000123]]]]]]"; got != want {
		t.Errorf("shown as %s, want %s", got, want)
	}
	query := `{"size":0,"track_total_hits":true,"query":{"range":{"created_at":{"gte":"2024-02-29 12:00","lt":"2024-02-29||+1d"}}}}`
	total := call[map[string]any](t, client, http.MethodPost, "/"+client.names(document.Post).Read+"/_search?filter_path=hits.total.value", query)
	if got, want := fmt.Sprint(total), fmt.Sprintf("map[hits:map[total:map[value:%d]]]", 3*7*11+1); got != want {
		t.Errorf("range finds %s, want %s", got, want)
	}
}

// TestKnownFieldsTakeWhatHandlersAccept: every kind of value of the known schema,
// and of unknown fields.
func TestKnownFieldsTakeWhatHandlersAccept(t *testing.T) {
	client := setUp(t, realConfig(t))
	var actions []Action
	long := `"` + strings.Repeat("я", 40000) + `"`
	scalars := []string{`"text"`, `""`, `7`, `123456789012345678901234567890`, `-0.5`, `true`, `null`, `[]`, `["a",1,null,true]`, `[[["a"]]]`, long}
	for _, entity := range Entities() {
		template, err := client.cfg.loadTemplate(client.names(entity))
		if err != nil {
			t.Fatal(err)
		}
		for name, mapping := range template.Template.Mappings["properties"].(map[string]any) {
			values := scalars
			switch mapping.(map[string]any)["type"] {
			case "double":
				values = []string{`0`, `-1.5`, `1e308`, `null`, `9223372036854775808`}
			case "date":
				values = []string{`null`, `9223372036854775807`, `-9223372036854775807`}
			case "long", nil: // version and _sync are ours
				continue
			}
			for i, value := range values {
				id := fmt.Sprintf("%s %d", name, i)
				actions = append(actions, Action{Key: document.Key{Entity: entity, ID: id}, State: created(1, `{"`+name+`":`+value+`}`).Pack()})
			}
		}
	}
	for i, value := range append(scalars, `{}`, `{"a":{"":1}}`, `"Infinity"`, `{"_id":{"_source":1}}`, `[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]`) {
		actions = append(actions, post(fmt.Sprintf("unknown %d", i), 1, `{"field":`+value+`,"a.b":`+value+`,"a":`+value+`}`))
	}
	mustWrite(t, client, actions...)
}

func TestOperatorsTemplates(t *testing.T) {
	cfg := realConfig(t)
	cfg.TemplateDir = t.TempDir()
	cfg.Shards, cfg.RefreshInterval = 2, 1500*time.Millisecond
	put := func(file, text string) {
		if err := os.WriteFile(filepath.Join(cfg.TemplateDir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("artist.json", `{"settings":{"index":{"number_of_shards":9,"sort.field":"version"},"analysis":{"analyzer":{"mine":{"type":"keyword"}}}},
		"mappings":{"dynamic":"strict","properties":{"name":{"type":"text","analyzer":"mine"},"version":{"type":"long"},
		"_sync":{"type":"object","dynamic":"false","properties":{"deleted":{"type":"boolean"},"deleted_at":{"type":"date","format":"epoch_millis"},"orders":{"enabled":"false"}}}}}}`)
	client := setUp(t, cfg)
	live, err := client.indices(t.Context(), client.aliasNames())
	if err != nil {
		t.Fatal(err)
	}
	artists, posts := live[behind(t, client, client.names(document.Artist).Write)], live[behind(t, client, client.names(document.Post).Write)]
	for name, want := range map[string]string{
		"index.number_of_shards": "2", "index.refresh_interval": "1500ms", "index.sort.field": "version",
		"index.analysis.analyzer.mine.type": "keyword", "index.analysis.analyzer.russian_english.type": "<nil>",
	} {
		if got := fmt.Sprint(flat(artists.Settings)[name]); got != want {
			t.Errorf("artists: %s is %s, want %s", name, got, want)
		}
	}
	if property(artists.template, "bio") != nil || property(posts.template, "title") == nil {
		t.Errorf("the file did not replace its own template alone: %v, %v", artists.Mappings, posts.Mappings)
	}

	put("artist.json", `{"index_patterns":["artists-*"],"template":{}}`)
	if _, err := client.Setup(t.Context()); err == nil || !strings.Contains(err.Error(), "artist.json") {
		t.Errorf("a file of another shape: %v", err)
	}
	client.cfg.TemplateDir += "-missing"
	if _, err := client.Setup(t.Context()); err == nil || !strings.Contains(err.Error(), "OPENSEARCH_TEMPLATE_DIR") {
		t.Errorf("a folder that is not there: %v", err)
	}
	if found := client.Ready(t.Context()); len(found) != 1 || !strings.Contains(found[0].What, "OPENSEARCH_TEMPLATE_DIR") {
		t.Errorf("ready without its templates: %q", found)
	}
}

// TestPatternsOfPrefixes: the template of one prefix does not reach the indices of
// another that continues its names.
func TestPatternsOfPrefixes(t *testing.T) {
	client := setUp(t, realConfig(t))
	n := client.names(document.Post)
	for name, want := range map[string]bool{
		n.Read + "-20260102-030405":          true,
		n.Read + "-eu-posts-20260102-030405": false,
		n.Write:                              false,
		n.Read:                               false,
		"x" + n.Read + "-20260102-030405":    false,
	} {
		got := call[map[string]any](t, client, http.MethodPost, "/_index_template/_simulate_index/"+name, "")
		if made, _ := got["template"].(map[string]any); (len(fmt.Sprint(made["mappings"])) > len("map[]")) != want {
			t.Errorf("%s: the template matches %v", name, !want)
		}
	}
}
