package main

import (
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestSinkAnswers compares what a sink answers with what OpenSearch 3.8.0 would,
// had each action done what it asked for.
func TestSinkAnswers(t *testing.T) {
	long := strings.Repeat("x", 600<<10)
	const filter = "?filter_path=items.*.status,items.*.result,items.*._index,items.*.error.type"
	for name, c := range map[string]struct{ path, body, want string }{
		"filtered": {
			"/_bulk" + filter,
			`{"update":{"_index":"posts-write","_id":"1"}}` + "\n{}\n" + `{"create":{"_index":"artists-write","_id":"2"}}` + "\n{}\n",
			`{"took":1,"errors":false,"items":[{"update":{"_index":"posts-1","result":"updated","status":200}},` +
				`{"create":{"_index":"artists-1","result":"created","status":201}}]}`,
		},
		"a long document": {
			"/_bulk" + filter,
			`{"create":{"_index":"posts-write"}}` + "\n" + long + "\n" + `{"delete":{"_index":"posts-write","_id":"1"}}` + "\n",
			`{"took":1,"errors":false,"items":[{"create":{"_index":"posts-1","result":"created","status":201}},` +
				`{"delete":{"_index":"posts-1","result":"deleted","status":200}}]}`,
		},
		"alias in the path": {
			"/posts-write/_bulk?filter_path=items.*.status", `{"index":{"_id":"1"}}` + "\n{}\n",
			`{"took":1,"errors":false,"items":[{"index":{"status":201}}]}`,
		},
		"errors alone": {
			"/_bulk?filter_path=errors,items.*.error", `{"index":{"_index":"posts-write"}}` + "\n{}\n",
			`{"took":1,"errors":false}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, packed := range []bool{false, true} {
				status, got := ask(t, c.path, c.body, packed)
				if status != http.StatusOK || got != c.want {
					t.Errorf("packed %t: %d %s\nwant %s", packed, status, got, c.want)
				}
			}
		})
	}
}

func TestSinkRefusesWhatIsNoBulk(t *testing.T) {
	for _, body := range []string{"{}\n", `{"upsert":{"_index":"posts-write"}}` + "\n{}\n", `{"index":{"_index":"posts-write"}}` + "\n"} {
		if status, answer := ask(t, "/_bulk", body, false); status != http.StatusInternalServerError {
			t.Errorf("%q: %d %s", body, status, answer)
		}
	}
}

func TestSinkPassesOnAllElse(t *testing.T) {
	if status, answer := ask(t, "/posts/_search", "", false); status != http.StatusTeapot {
		t.Errorf("%d %s", status, answer)
	}
}

// ask sends a request to a sink before a server that knows two aliases.
func ask(t *testing.T, path, body string, packed bool) (status int, answer string) {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		alias, ok := strings.CutPrefix(r.URL.Path, "/_alias/")
		if !ok {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		_, _ = w.Write([]byte(`{"` + strings.Replace(alias, "-write", "-1", 1) + `":{}}`))
	}))
	defer upstream.Close()
	s, err := newSink(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	var sent strings.Builder
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	if packed {
		packer := gzip.NewWriter(&sent)
		_, _ = packer.Write([]byte(body))
		_ = packer.Close()
		request = httptest.NewRequest(http.MethodPost, path, strings.NewReader(sent.String()))
		request.Header.Set("Content-Encoding", "gzip")
	}
	response := httptest.NewRecorder()
	s.ServeHTTP(response, request)
	return response.Code, response.Body.String()
}
