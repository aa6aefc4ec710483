package index

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/test/stack"
)

// realConfig returns settings for the real cluster under a prefix of the test's
// own; what has that prefix is removed at its end. The merge script stays: its id
// is a hash of its text, so every test of this text shares it.
func realConfig(t testing.TB) Config {
	t.Helper()
	cfg := Config{
		URLs:            strings.Split(stack.OpenSearch(t), ","),
		IndexPrefix:     stack.Name(t) + "-",
		Shards:          1,
		RefreshInterval: 500 * time.Millisecond,

		TombstoneRetention: time.Hour, LockTTL: 30 * time.Second,
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func mustClient(t testing.TB, cfg Config) *Client {
	t.Helper()
	client, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// removeAll takes a test back to before its setup.
func removeAll(t testing.TB, c *Client) {
	t.Helper()
	prefix := c.cfg.IndexPrefix
	for name := range call[map[string]any](t, c, http.MethodGet, "/"+prefix+"*?expand_wildcards=all&filter_path=*.settings.index.uuid", "") {
		call[any](t, c, http.MethodDelete, "/"+name, "")
	}
	type templates struct {
		Templates []struct {
			Name string `json:"name"`
		} `json:"index_templates"`
	}
	for _, found := range call[templates](t, c, http.MethodGet, "/_index_template", "").Templates {
		if strings.HasPrefix(found.Name, prefix) {
			call[any](t, c, http.MethodDelete, "/_index_template/"+found.Name, "")
		}
	}
}

// setUp returns a client whose aliases stand.
func setUp(t testing.TB, cfg Config) *Client {
	t.Helper()
	client := mustClient(t, cfg)
	report, err := client.Setup(t.Context())
	if err != nil || len(report.Problems) > 0 {
		t.Fatalf("setup: %v, problems %v", err, report.Problems)
	}
	return client
}

// call asks the cluster anything, fails the test where it refuses, and decodes
// the answer. It outlives the test's context, so it also serves to clean up.
func call[T any](t testing.TB, c *Client, method, path, body string) T {
	t.Helper()
	var out T
	if err := c.ask(context.WithoutCancel(t.Context()), plainRequest{method, path, body}, &out); err != nil {
		t.Errorf("%s %s: %v", method, path, err)
	}
	return out
}

// refresh makes what was written visible to searches.
func refresh(t testing.TB, c *Client) {
	t.Helper()
	call[any](t, c, http.MethodPost, "/"+c.cfg.IndexPrefix+"*/_refresh", "")
}

// hits returns the ids that a search finds, in the order of its sort.
func hits(t testing.TB, c *Client, index, query string) []string {
	t.Helper()
	found := call[struct {
		Hits struct {
			Hits []struct {
				ID string `json:"_id"`
			} `json:"hits"`
		} `json:"hits"`
	}](t, c, http.MethodPost, "/"+index+"/_search", query)
	ids := []string{}
	for _, hit := range found.Hits.Hits {
		ids = append(ids, hit.ID)
	}
	return ids
}

// stored returns the _source of documents by id, those of tombstones included.
func stored(t testing.TB, c *Client, index string, ids []string) map[string]jsontext.Value {
	t.Helper()
	request, err := json.Marshal(map[string]any{"ids": ids})
	if err != nil {
		t.Fatal(err)
	}
	found := call[struct {
		Docs []struct {
			ID     string         `json:"_id"`
			Source jsontext.Value `json:"_source"`
		} `json:"docs"`
	}](t, c, http.MethodPost, "/"+index+"/_mget?filter_path=docs._id,docs._source", string(request))
	sources := map[string]jsontext.Value{}
	for _, doc := range found.Docs {
		if doc.Source != nil {
			sources[doc.ID] = doc.Source
		}
	}
	return sources
}

// post returns an action on a post with one created event.
func post(id string, version int64, fields string) Action {
	return Action{Key: document.Key{Entity: document.Post, ID: id}, State: created(version, fields).Pack()}
}

// created returns the State of a created event; fields is a JSON object.
func created(version int64, fields string) document.State {
	var members map[string]jsontext.Value
	if err := json.Unmarshal([]byte(fields), &members); err != nil {
		panic(err)
	}
	var list []document.Field
	for name, value := range members {
		list = append(list, document.Field{Name: name, Value: value})
	}
	return document.Upsert(document.UpsertOrder(version, version*1000, document.Digest([]byte(fields))), list)
}

func deleted(id string, version int64) Action {
	return Action{
		Key:   document.Key{Entity: document.Post, ID: id},
		State: document.Delete(document.DeleteOrder(version, version*1000), version).Pack(),
	}
}
