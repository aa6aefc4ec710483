package index

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"

	"github.com/search-indexer/search-indexer/internal/document"
)

// operatorTemplate is an index as an operator's own template could make it: with
// fields that refuse values which handlers accept. Only mapping and limits
// matter here.
const operatorTemplate = `{"settings":{"number_of_replicas":0,"index.mapping.nested_objects.limit":2,"index.mapping.depth.limit":4,"index.mapping.field_name_length.limit":60},
"aliases":{"%s":{"is_write_index":true}},
"mappings":{"dynamic":%q,"properties":{"_sync":{"enabled":false},"version":{"type":"long"},
  "text":{"type":"text"},"keyword":{"type":"keyword"},"unindexed":{"type":"keyword","index":false},"integer":{"type":"integer"},"double":{"type":"double"},"date":{"type":"date"},
  "boolean":{"type":"boolean"},"ip":{"type":"ip"},"object":{"properties":{"x":{"type":"text"}}},"nested":{"type":"nested"},"alias":{"type":"alias","path":"keyword"},
  "point":{"type":"geo_point"},"range":{"type":"date_range"},"rank":{"type":"rank_feature"},"flat":{"type":"flat_object"},"constant":{"type":"constant_keyword","value":"x"},
  "completion":{"type":"completion","contexts":[{"name":"c","type":"category"}]}}}}`

// TestRejectedByRealIndex reproduces each refusal that a document earns by its
// contents, beside a good neighbour that is written.
func TestRejectedByRealIndex(t *testing.T) {
	client := operatorIndex(t, "true")
	immense := strings.Repeat("я", 20000)
	checkRejected(t, client, map[string]string{
		"object for a text":               `{"text":{"a":1}}`,
		"field below a text":              `{"text.x":1}`,
		"word for an integer":             `{"integer":"x"}`,
		"integer out of range":            `{"integer":1000000000000}`,
		"integer out of a double's range": `{"double":1` + strings.Repeat("0", 400) + `}`,
		"date":                            `{"date":"yesterday"}`,
		"boolean":                         `{"boolean":"maybe"}`,
		"address":                         `{"ip":"x"}`,
		"scalar for an object":            `{"object":1}`,
		"scalar for a nested":             `{"nested":1}`,
		"too many nested documents":       `{"nested":[{},{},{}]}`,
		"nested too deep":                 `{"a":{"b":{"c":{"d":{"e":1}}}}}`,
		"value for a field alias":         `{"alias":1}`,
		"latitude":                        `{"point":{"lat":100,"lon":0}}`,
		"range":                           `{"range":5}`,
		"rank":                            `{"rank":-1}`,
		"flat object":                     `{"flat":1}`,
		"constant":                        `{"constant":"y"}`,
		"completion without context":      `{"completion":"a"}`,
		"immense term":                    `{"keyword":"` + immense + `"}`,
		"immense value":                   `{"unindexed":"` + immense + `"}`,
		"long field name":                 `{"` + strings.Repeat("x", 61) + `":1}`,
		"metadata field":                  `{"_id":"x"}`,
		"empty field name":                `{"":1}`,
		"empty part of a name":            `{"a..b":1}`,
		"blank part of a name":            `{" . ":1}`,
	})
}

func TestRejectedByStrictIndex(t *testing.T) {
	checkRejected(t, operatorIndex(t, "strict"), map[string]string{"unknown field": `{"unknown":1}`})
}

// TestCreateOfWhatWasErased: OpenSearch refuses a create for its fields before it looks
// for the document, but a delete that is there erases them.
func TestCreateOfWhatWasErased(t *testing.T) {
	client := operatorIndex(t, "strict")
	for _, want := range []struct {
		action Action
		result Result
	}{{deleted("gone", 2), Deleted}, {post("gone", 1, `{"unknown":1}`), Stale}} {
		if got := NewWriter(client).Write(t.Context(), "x", []Action{want.action}); got[0].Result != want.result {
			t.Errorf("got %+v, want %s", got[0], want.result)
		}
	}
}

// TestRejectedWithItsRequest: these make OpenSearch refuse the whole request.
func TestRejectedWithItsRequest(t *testing.T) {
	deep := strings.Repeat("[", 1100) + strings.Repeat("]", 1100)
	checkRejected(t, operatorIndex(t, "false"), map[string]string{
		"nesting past 1,000":        `{"a":` + deep + `}`,
		"number over 1,000 digits":  `{"a":` + strings.Repeat("1", 1001) + `}`,
		"name over 50,000 bytes":    `{"` + strings.Repeat("a", 50001) + `":1}`,
		"integer of 10,000 digits":  `{"a":` + strings.Repeat("1", 10000) + `}`,
		"nested deep inside a name": `{"title":{"a":` + deep + `}}`,
	})
	t.Run("id over 512 bytes", func(t *testing.T) {
		got := NewWriter(operatorIndex(t, "false")).Write(t.Context(), "x", []Action{post("ok", 1, `{}`), post(strings.Repeat("i", 513), 1, `{}`)})
		if got[0].Result != Written || got[1].Result != Rejected {
			t.Errorf("got %+v", got)
		}
	})
}

// operatorIndex makes an index by operatorTemplate behind the write alias of
// posts.
func operatorIndex(t *testing.T, dynamic string) *Client {
	t.Helper()
	client := mustClient(t, realConfig(t))
	if err := client.setupScript(t.Context(), &SetupReport{}); err != nil {
		t.Fatal(err)
	}
	n := client.names(document.Post)
	call[any](t, client, http.MethodPut, "/"+n.Read+"-1", fmt.Sprintf(operatorTemplate, n.Write, dynamic))
	return client
}

func checkRejected(t *testing.T, client *Client, cases map[string]string) {
	t.Helper()
	for way, writer := range map[string]*Writer{"as a create": NewWriter(client), "as a script": neverFirst(NewWriter(client))} {
		for name, fields := range cases {
			t.Run(name+" "+way, func(t *testing.T) {
				name += way
				got := writer.Write(t.Context(), "x", []Action{post("before "+name, 1, `{}`), post(name, 1, fields), post("after "+name, 1, `{}`)})
				if got[0].Result != Written || got[2].Result != Written {
					t.Errorf("neighbours: %+v, %+v", got[0], got[2])
				}
				if got[1].Result != Rejected || got[1].Reason != ReasonRejectedByIndex || got[1].Words == "" {
					t.Errorf("got %+v", got[1])
				}
			})
		}
	}
}

// TestRetriedByRealIndex reproduces what is not the document's fault: the write
// is a Retry with its reason, and once the fault is mended the same write goes
// through.
func TestRetriedByRealIndex(t *testing.T) {
	settings := func(change string) func(*testing.T, *Client, string) {
		return func(t *testing.T, c *Client, index string) {
			call[any](t, c, http.MethodPut, "/"+index+"/_settings", change)
		}
	}
	request := func(method, path, body string) func(*testing.T, *Client, string) {
		return func(t *testing.T, c *Client, index string) {
			t.Helper()
			expand := strings.NewReplacer("{index}", index, "{posts}", c.names(document.Post).Read)
			call[any](t, c, method, expand.Replace(path), expand.Replace(body))
		}
	}
	for name, tc := range map[string]struct {
		fault, mend func(t *testing.T, c *Client, index string)
		want        string
	}{
		"write block":      {settings(`{"index.blocks.write":true}`), settings(`{"index.blocks.write":null}`), ReasonBlocked},
		"read-only block":  {settings(`{"index.blocks.read_only":true}`), settings(`{"index.blocks.read_only":null}`), ReasonBlocked},
		"flood stage":      {settings(`{"index.blocks.read_only_allow_delete":true}`), settings(`{"index.blocks.read_only_allow_delete":null}`), ReasonBlocked},
		"closed index":     {request("POST", "/{index}/_close", ""), request("POST", "/{index}/_open?wait_for_active_shards=1", ""), ReasonBlocked},
		"missing pipeline": {settings(`{"index.default_pipeline":"no-such-pipeline"}`), settings(`{"index.default_pipeline":null}`), ReasonOther},
		"alias missing": {
			request("DELETE", "/{index}/_alias/{posts}-write", ""),
			request("PUT", "/{index}/_alias/{posts}-write", ""),
			ReasonAliasMissing,
		},
		"alias on two indices": {
			request("POST", "/_aliases", `{"actions":[{"add":{"index":"{index}","alias":"{posts}-write","is_write_index":false}}]}`),
			request("POST", "/_aliases", `{"actions":[{"add":{"index":"{index}","alias":"{posts}-write","is_write_index":true}}]}`),
			ReasonAliasMissing,
		},
		"full mapping": {
			request("PUT", "/{index}/_mapping", `{"dynamic":true,"properties":{"f":{"type":"object","dynamic":true}}}`),
			settings(`{"index.mapping.total_fields.limit":1000}`),
			ReasonOther,
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := setUp(t, realConfig(t))
			writer := NewWriter(client)
			n := client.names(document.Post)
			second := `{"aliases":{"` + n.Write + `":{}},"settings":{"number_of_replicas":0}}`
			index := behind(t, client, n.Write)
			if name == "alias on two indices" {
				call[any](t, client, http.MethodPut, "/"+n.Read+"-other", second)
			}
			if name == "full mapping" {
				call[any](t, client, http.MethodPut, "/"+index+"/_settings", `{"index.mapping.total_fields.limit":20}`)
			}
			tc.fault(t, client, index)
			actions := []Action{post("1", 1, `{"f":{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1}}`)}
			if got := writer.Write(t.Context(), "x", actions)[0]; got.Result != Retry || got.Reason != tc.want || got.Words == "" {
				t.Errorf("got %+v, want a retry for %s", got, tc.want)
			}
			tc.mend(t, client, index)
			if got := writer.Write(t.Context(), "x", actions)[0]; got.Result != Written || got.Index != index {
				t.Errorf("after it was mended: %+v", got)
			}
		})
	}
}

// behind returns the index that takes the writes of an alias.
func behind(t *testing.T, c *Client, alias string) string {
	t.Helper()
	live, err := c.indices(t.Context(), []string{alias})
	if err != nil || len(live) != 1 {
		t.Fatalf("indices behind %s: %v, %v", alias, live, err)
	}
	for name := range live {
		return name
	}
	return ""
}

func TestRetriedForTheScript(t *testing.T) {
	client := setUp(t, realConfig(t))
	t.Run("missing", func(t *testing.T) {
		other := *client
		other.script.id = "no-such-script"
		mustWrite(t, client, posts(1)...)
		got := NewWriter(&other).Write(t.Context(), "x", posts(2))
		if got[0].Result != Retry || got[0].Reason != ReasonScriptMissing || got[1].Result != Written {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("document of a newer program", func(t *testing.T) {
		n := client.names(document.Post)
		call[any](t, client, http.MethodPut, "/"+n.Write+"/_doc/new", `{"version":1,"_sync":{"format":2,"seen":[1,1,1]}}`)
		got := NewWriter(client).Write(t.Context(), "x", []Action{post("new", 5, `{"title":"t"}`)})[0]
		if got.Result != Retry || got.Reason != ReasonScriptFailed || !strings.Contains(got.Words, "_sync.format 2") {
			t.Errorf("got %+v", got)
		}
	})
}

// TestScriptsOfTwoVersions: a worker of another version has its own script, and
// neither one's setup touches the other's.
func TestScriptsOfTwoVersions(t *testing.T) {
	cfg := realConfig(t)
	old, changed := setUp(t, cfg), mustClient(t, cfg)
	changed.script = newScript(mergeText + "\n// " + cfg.IndexPrefix)
	if old.script.id == changed.script.id {
		t.Fatal("another text has the same id")
	}
	if _, err := changed.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { call[any](t, changed, http.MethodDelete, "/_scripts/"+changed.script.id, "") })
	for version, c := range []*Client{old, changed, old} {
		got := NewWriter(c).Write(t.Context(), "x", []Action{post("1", int64(version+1), `{"title":"t"}`)})[0]
		if got.Result != Written {
			t.Errorf("script %s: %+v", c.script.id, got)
		}
		if err := c.ask(t.Context(), opensearchapi.GetScriptRequest{ScriptID: c.script.id}, nil); err != nil {
			t.Errorf("script %s: %v", c.script.id, err)
		}
	}
}

func TestWordsAreCapped(t *testing.T) {
	long := fault{Type: "mapper_parsing_exception", Reason: strings.Repeat("ё", math.MaxInt16)}
	got := refused(http.StatusBadRequest, long)
	if len(got.Words) > maxWords || len(got.Words) < maxWords-4 {
		t.Errorf("%d bytes of words", len(got.Words))
	}
	if strings.ContainsRune(got.Words, '\uFFFD') || !strings.HasSuffix(got.Words, "ё") {
		t.Errorf("cut inside a character: %q", got.Words[len(got.Words)-8:])
	}
}

// TestFaultsThatAreNotTheDocuments: the types that stand in the list
// of document faults also name other faults.
func TestFaultsThatAreNotTheDocuments(t *testing.T) {
	for _, f := range []fault{
		{Type: "x_content_parse_exception", Reason: "[1:50] [UpdateRequest] unknown field [scripted_upsert]"},
		{Type: "illegal_argument_exception", Reason: "Limit of total fields [1000] has been exceeded"},
		{Type: "illegal_argument_exception", Reason: "request [/_bulk] contains unrecognized parameter: [require_alias]"},
		{Type: "illegal_argument_exception", Reason: "failed to execute script", CausedBy: &fault{Type: "script_exception", Reason: "runtime error", CausedBy: &fault{Type: "mapper_parsing_exception"}}},
		{Type: "action_request_validation_exception", Reason: "Validation Failed: 1: script or doc is missing;"},
		{Type: "routing_missing_exception", Reason: "routing is required for [posts-1]/[1]"},
		{Type: "document_source_missing_exception", Reason: "[1]: document source missing"},
		{Type: "validation_exception", Reason: "Operation [UPDATE] is not allowed as setting `index.append_only.enabled` is enabled"},
		{},
	} {
		if got := refused(http.StatusBadRequest, f); got.Result != Retry {
			t.Errorf("%+v: %+v", f, got)
		}
	}
}
