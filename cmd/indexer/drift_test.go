package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// drifted is what setup, status and a worker say of the site's indices.
func (s *site) drifted(want string) {
	s.Helper()
	status := s.must("status")
	if got := strings.Contains(status, "differs from its template: "+want+"; "); got != (want != "") {
		s.Errorf("want %q in\n%s", want, status)
	}
	if got := s.must("status", "--json"); strings.Contains(got, `"drift": []`) != (want == "") {
		s.Errorf("want %q in\n%s", want, got)
	}
}

// A change of settings or template that the live index does not have is named by
// setup, status and workers; --apply and rebuild mend it.
func TestDriftIsNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.drifted("")
	s.env["OPENSEARCH_REFRESH_INTERVAL"], s.env["OPENSEARCH_SHARDS"] = "7s", "2"
	const both = "index.number_of_shards is 1, the template has 2; index.refresh_interval is 500ms, the template has 7000ms"
	s.drifted(both)
	indexer(t, s.env, "", "setup").want(t, exitDone, "warning: index ", both, "`indexer rebuild` applies", "--apply")

	worker := s.run()
	s.eventually("a note of the worker", func() bool {
		code, body := worker.ask(http.MethodGet, "/readyz", "")
		return code == http.StatusOK && strings.Contains(body, both)
	})
	worker.stop()
	if n := strings.Count(worker.log.String(), both); n != 2 { // once for posts, once for artists
		t.Errorf("the log has it %d times\n%s", n, worker.log.String())
	}

	got := indexer(t, s.env, "", "setup", "--apply")
	got.want(t, exitDone, "index.number_of_shards is 1, the template has 2; `indexer rebuild` applies the template\n")
	if strings.Count(got.stdout, "setting   added") != 2 || strings.Contains(got.stderr, "refresh_interval") || strings.Contains(got.stderr, "searches find") {
		t.Errorf("after --apply:\n%s%s", got.stdout, got.stderr)
	}
	s.drifted("index.number_of_shards is 1, the template has 2")
	s.publish(`{"event_type":"post.created","data":{"post_id":"1"}}`)
	s.must("rebuild")
	s.drifted("")
}

// A field that setup has added is searchable for what is written afterwards, and for
// the rest after a rebuild; setup says so.
func TestAnAddedField(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	worker := s.run()
	s.publish(`{"event_type":"post.created","data":{"post_id":"old","mood":"blue"}}`)
	s.awaitDone()
	s.env["OPENSEARCH_TEMPLATE_DIR"] = s.template()
	got := indexer(t, s.env, "", "setup", "--apply")
	got.want(t, exitDone, "once they are written again: `indexer rebuild`")
	if !strings.Contains(got.stdout, " mood\n") {
		t.Errorf("what was added is not told:\n%s", got.stdout)
	}
	s.publish(`{"event_type":"post.created","data":{"post_id":"new","mood":"blue"}}`)
	s.awaitDone()
	s.found("new")
	s.must("rebuild")
	s.found("new", "old")
	worker.stop()
}

// template returns a folder with the project's template of posts and one field more.
func (s *site) template() (dir string) {
	s.Helper()
	own, err := os.ReadFile("../../internal/index/templates/post.json")
	if err != nil {
		s.Fatal(err)
	}
	more := strings.Replace(string(own), `"slug":`, `"mood": {"type": "keyword"}, "slug":`, 1)
	dir = s.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "post.json"), []byte(more), 0o600); err != nil {
		s.Fatal(err)
	}
	return dir
}

// found wants exactly these posts to be found by their mood.
func (s *site) found(ids ...string) {
	s.Helper()
	posts := "/" + s.env["OPENSEARCH_INDEX_PREFIX"] + "posts"
	s.opensearch(http.MethodPost, posts+"/_refresh", "")
	resp, err := http.Get(s.url + posts + "/_search?q=mood:blue&_source=false")
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Hits struct {
			Hits []struct {
				ID string `json:"_id"`
			} `json:"hits"`
		} `json:"hits"`
	}
	if err := json.UnmarshalRead(resp.Body, &answer); err != nil {
		s.Fatal(err)
	}
	var got []string
	for _, hit := range answer.Hits.Hits {
		got = append(got, hit.ID)
	}
	if slices.Sort(got); !slices.Equal(got, ids) {
		s.Errorf("found %q, want %q", got, ids)
	}
}
