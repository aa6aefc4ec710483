package index

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/search-indexer/search-indexer/internal/document"
)

func TestReadyBeforeSetup(t *testing.T) {
	client := mustClient(t, realConfig(t))
	client.script.id = "no-such-script"
	found := client.Ready(t.Context())
	if len(found) != 5 {
		t.Errorf("problems %q, want four aliases and a script", found)
	}
	for _, p := range found {
		if !strings.Contains(p.WayOut, "indexer setup") {
			t.Errorf("%q does not say to run setup", p)
		}
	}
}

func TestReadyNamesWhatIsWrong(t *testing.T) {
	client := setUp(t, realConfig(t))
	n := client.names(document.Post)
	index, other := behind(t, client, n.Write), n.Read+"-other"
	aliases := func(actions string) func() {
		return func() {
			t.Helper()
			expand := strings.NewReplacer("{index}", index, "{other}", other, "{read}", n.Read, "{write}", n.Write)
			call[any](t, client, http.MethodPost, "/_aliases", expand.Replace(`{"actions":[`+actions+`]}`))
		}
	}
	settings := func(change string) func() {
		return func() { call[any](t, client, http.MethodPut, "/"+index+"/_settings", change) }
	}
	call[any](t, client, http.MethodPut, "/"+other, `{"settings":{"number_of_replicas":0}}`)
	const filter = `"filter":{"term":{"_sync.deleted":false}}`
	for words, tc := range map[string]struct{ spoil, mend func() }{
		"none of them is its write index": {
			aliases(`{"add":{"index":"{other}","alias":"{write}"}},{"add":{"index":"{index}","alias":"{write}","is_write_index":false}}`),
			aliases(`{"remove":{"index":"{other}","alias":"{write}"}},{"add":{"index":"{index}","alias":"{write}","is_write_index":true}}`),
		},
		"find documents more than once": {
			aliases(`{"add":{"index":"{other}","alias":"{read}",` + filter + `}}`),
			aliases(`{"remove":{"index":"{other}","alias":"{read}"}}`),
		},
		"while": {
			aliases(`{"remove":{"index":"{index}","alias":"{read}"}},{"add":{"index":"{other}","alias":"{read}",` + filter + `}}`),
			aliases(`{"remove":{"index":"{other}","alias":"{read}"}},{"add":{"index":"{index}","alias":"{read}",` + filter + `}}`),
		},
		"does not hide deleted documents": {
			aliases(`{"remove":{"index":"{index}","alias":"{read}"}},{"add":{"index":"{index}","alias":"{read}"}}`),
			aliases(`{"add":{"index":"{index}","alias":"{read}",` + filter + `}}`),
		},
		"index.default_pipeline is p":         {settings(`{"index.default_pipeline":"p"}`), settings(`{"index.default_pipeline":null}`)},
		"index.blocks.write)":                 {settings(`{"index.blocks.write":true}`), settings(`{"index.blocks.write":null}`)},
		"index.blocks.read_only_allow_delete": {settings(`{"index.blocks.read_only_allow_delete":true}`), settings(`{"index.blocks.read_only_allow_delete":null}`)},
		"is closed": {
			func() { call[any](t, client, http.MethodPost, "/"+index+"/_close", "") },
			func() { call[any](t, client, http.MethodPost, "/"+index+"/_open?wait_for_active_shards=1", "") },
		},
		`"is_write_index": false, so nothing can be written; run ` + "`indexer setup`, or POST /_aliases {": {
			aliases(`{"add":{"index":"{index}","alias":"{write}","is_write_index":false}}`),
			aliases(`{"add":{"index":"{index}","alias":"{write}","is_write_index":true}}`),
		},
	} {
		t.Run(words, func(t *testing.T) {
			tc.spoil()
			wantProblem(t, client.Ready(t.Context()), words)
			tc.mend()
			if found := client.Ready(t.Context()); len(found) > 0 {
				t.Errorf("after it was mended: %q", found)
			}
		})
	}
}

// TestReadyLooksAtTheLiveIndex: made before its template was mended.
func TestReadyLooksAtTheLiveIndex(t *testing.T) {
	client := mustClient(t, realConfig(t))
	for words, text := range lossyMappings() {
		if strings.Contains(words, "derived_source") || strings.Contains(words, "append_only") {
			continue // a setting of newer servers only; the template test covers the rule
		}
		var report SetupReport
		call[any](t, client, http.MethodPut, "/_index_template/"+client.cfg.IndexPrefix+"lossy",
			fmt.Sprintf(`{"index_patterns":[%q],"priority":900,"template":%s}`, client.names(document.Post).Pattern, text))
		if err := client.createIndex(t.Context(), document.Post, &report); err != nil || report.Steps[0].Result != Created {
			t.Fatalf("%v, %+v", err, report)
		}
		var named bool
		for _, p := range client.Ready(t.Context()) {
			named = named || strings.Contains(p.What, "would lose data") && strings.Contains(p.What, words) && strings.Contains(p.WayOut, "rebuild")
		}
		if !named {
			t.Errorf("%s is not named in %q", words, client.Ready(t.Context()))
		}
		removeAll(t, client)
	}
}

func TestReadyWithoutServer(t *testing.T) {
	for words, reply := range map[string]func(http.ResponseWriter, string){
		"OPENSEARCH_USERNAME": refuse(http.StatusUnauthorized, "Unauthorized"),
		"permission":          refuse(http.StatusForbidden, `{"error":{"type":"security_exception","reason":"no permissions"}}`),
		"503":                 refuse(http.StatusServiceUnavailable, ""),
		"does not answer":     refuse(http.StatusOK, "<html>"),
	} {
		client := mustClient(t, newFakeServer(t, reply).config())
		wantProblem(t, client.Ready(t.Context()), words)
	}
	away := newFakeServer(t, acceptAll)
	client := mustClient(t, away.config())
	away.Close()
	wantProblem(t, client.Ready(t.Context()), away.URL, "OPENSEARCH_URLS")
}
