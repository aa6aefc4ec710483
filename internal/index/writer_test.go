package index

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func posts(n int) []Action {
	actions := make([]Action, n)
	for i := range actions {
		actions[i] = post(fmt.Sprintf("id-%d", i), 1, `{"title":"t"}`)
	}
	return actions
}

func repeated(n int, o Outcome) []Outcome { return slices.Repeat([]Outcome{o}, n) }

func TestWriteNothing(t *testing.T) {
	server := newFakeServer(t, acceptAll)
	if got := server.writer(t).Write(t.Context(), "x", nil); len(got) != 0 {
		t.Errorf("outcomes of nothing: %v", got)
	}
	if sent := server.requests(); len(sent) != 0 {
		t.Errorf("%d requests for nothing", len(sent))
	}
}

func TestWriteSendsOpaqueID(t *testing.T) {
	// An id that no header may hold must not hold up the write.
	for id, want := range map[string]string{"batch-17": "batch-17", "a\nb\x00 ё\x7f~": "ab ~"} {
		server := newFakeServer(t, acceptAll)
		if got := server.writer(t).Write(t.Context(), id, posts(1))[0]; got.Result != Written {
			t.Errorf("id %q: %+v", id, got)
		}
		if got := server.header.Get("X-Opaque-Id"); got != want {
			t.Errorf("X-Opaque-Id %q, want %q", got, want)
		}
	}
}

func TestWriteIsObserved(t *testing.T) {
	server := newFakeServer(t, acceptAll)
	writer := server.writer(t)
	var sizes []int
	writer.Observe = func(bytes int, took time.Duration) {
		if took <= 0 {
			t.Errorf("a request took %s", took)
		}
		sizes = append(sizes, bytes)
	}
	writer.Write(t.Context(), "x", posts(2))
	if got := server.requests(); len(sizes) != 1 || sizes[0] != len(got[0]) {
		t.Errorf("sizes %v of %d requests", sizes, len(got))
	}
}

// TestSplit: whichever actions a server refuses together with all their
// neighbours, they alone are rejected.
func TestSplit(t *testing.T) {
	refusals := map[int]string{
		http.StatusBadRequest:            `{"error":{"type":"x_content_parse_exception","reason":"[1:50] [UpdateRequest] failed to parse field [script]","caused_by":{"type":"json_parse_exception","reason":"Duplicate Object property \"a\""}},"status":400}`,
		http.StatusRequestEntityTooLarge: ``,
	}
	reasons := map[int]string{http.StatusBadRequest: ReasonRejectedByIndex, http.StatusRequestEntityTooLarge: ReasonTooLarge}
	for status, refusal := range refusals {
		t.Run(http.StatusText(status), func(t *testing.T) {
			server := newFakeServer(t, func(w http.ResponseWriter, body string) {
				if strings.Contains(body, "poison") {
					refuse(status, refusal)(w, body)
					return
				}
				acceptAll(w, body)
			})
			writer := server.writer(t)
			rapid.Check(t, func(rt *rapid.T) {
				poisoned := rapid.SliceOfN(rapid.Bool(), 1, 33).Draw(rt, "poisoned")
				actions := posts(len(poisoned))
				for i, bad := range poisoned {
					if bad {
						actions[i].ID = "poison"
					}
				}
				for i, o := range writer.Write(t.Context(), "x", actions) {
					want := Outcome{Result: Written, Index: "posts-20260102-030405"}
					if poisoned[i] {
						want = refused(status, readFault([]byte(refusal)))
						want.Result, want.Reason = Rejected, reasons[status]
					}
					if diff := cmp.Diff(want, o); diff != "" {
						rt.Fatalf("action %d of %v: %s", i, poisoned, diff)
					}
				}
			})
		})
	}
}

// TestSplitKeepsFaultsApart: a refused half says nothing of the other, also
// where the whole request's 400 is not a document's fault.
func TestSplitKeepsFaultsApart(t *testing.T) {
	server := newFakeServer(t, func(w http.ResponseWriter, body string) {
		if strings.Contains(body, "id-2") {
			refuse(http.StatusBadRequest, `{"error":{"type":"illegal_argument_exception","reason":"not known to this program"},"status":400}`)(w, body)
			return
		}
		acceptAll(w, body)
	})
	got := server.writer(t).Write(t.Context(), "x", posts(4))
	want := repeated(4, Outcome{Result: Written, Index: "posts-20260102-030405"})
	want[2] = Outcome{Result: Retry, Reason: ReasonOther, Words: "illegal_argument_exception: not known to this program"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if sent := len(server.requests()); sent != 5 { // 4, 2, 2, 1, 1
		t.Errorf("%d requests", sent)
	}
}

func TestWholeRequestRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"queue full":         {429, `{"error":{"type":"rejected_execution_exception","reason":"rejected execution of coordinating operation"},"status":429}`, ReasonThrottled},
		"memory full":        {429, `{"error":{"type":"circuit_breaking_exception","reason":"[parent] Data too large"},"status":429}`, ReasonThrottled},
		"gateway, no JSON":   {502, `<html>bad gateway</html>`, ReasonUnavailable},
		"no cluster manager": {503, `{"error":{"type":"cluster_block_exception","reason":"blocked by: [SERVICE_UNAVAILABLE/2/no cluster-manager];"},"status":503}`, ReasonUnavailable},
		"gateway timeout":    {504, ``, ReasonUnavailable},
		"server error":       {500, `{"error":{"type":"null_pointer_exception","reason":null},"status":500}`, ReasonUnavailable},
		"login":              {401, `Unauthorized`, ReasonAuth},
		"permission":         {403, `{"error":{"type":"security_exception","reason":"no permissions for [indices:data/write/bulk]"},"status":403}`, ReasonAuth},
		"AWS permission":     {403, `{"Message":"User: anonymous is not authorized to perform: es:ESHttpPost"}`, ReasonAuth},
		"cluster read-only":  {403, `{"error":{"type":"cluster_block_exception","reason":"blocked by: [FORBIDDEN/6/cluster read-only (api)];"},"status":403}`, ReasonBlocked},
		"not OpenSearch":     {404, `404 page not found`, ReasonOther},
		"redirect":           {302, ``, ReasonOther},
	} {
		t.Run(name, func(t *testing.T) {
			server := newFakeServer(t, refuse(tc.status, tc.body))
			for _, o := range server.writer(t).Write(t.Context(), "x", posts(3)) {
				if o.Result != Retry || o.Reason != tc.want || o.Index != "" {
					t.Errorf("got %+v, want a retry for %s", o, tc.want)
				}
			}
			if sent := len(server.requests()); sent != 1 {
				t.Errorf("%d requests, the retry is the caller's", sent)
			}
		})
	}
}

func TestUnreadableAnswer(t *testing.T) {
	const created = `{"update":{"_index":"posts-1","status":201,"result":"created"}}`
	for name, reply := range map[string]func(http.ResponseWriter, string){
		"no body":            refuse(200, ``),
		"not JSON":           refuse(200, `<html>`),
		"cut off":            refuse(200, `{"items":[`+created+`,`+created+`,{"upd`),
		"an item too few":    refuse(200, `{"items":[`+created+`,`+created+`]}`),
		"an item too many":   refuse(200, `{"items":[`+created+`,`+created+`,`+created+`,`+created+`]}`),
		"no items":           refuse(200, `{}`),
		"an item of nothing": refuse(200, `{"items":[`+created+`,`+created+`,{}]}`),
		"shorter than its due": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Length", "999")
			refuse(200, `{"items":[`)(w, "")
		},
		"closed connection": func(w http.ResponseWriter, _ string) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_ = conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := newFakeServer(t, reply)
			for _, o := range server.writer(t).Write(t.Context(), "x", posts(3)) {
				if o.Result != Retry || o.Reason != ReasonNetwork || o.Words == "" {
					t.Errorf("got %+v, want a retry for network, with words", o)
				}
			}
			// The client sends again by itself after a closed connection, with
			// an empty body, unless it is kept from it.
			if sent := len(server.requests()); sent != 1 {
				t.Errorf("%d requests, the retry is the caller's", sent)
			}
		})
	}
}

func TestUnknownItemIsNotWritten(t *testing.T) {
	server := newFakeServer(t, refuse(200, `{"items":[{"update":{"_index":"posts-1","status":200,"result":"new word"}}]}`))
	got := server.writer(t).Write(t.Context(), "x", posts(1))
	want := []Outcome{{Result: Retry, Reason: ReasonOther, Words: `bulk item with status 200 and result "new word"`}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestServerAway(t *testing.T) {
	server := newFakeServer(t, acceptAll)
	writer := server.writer(t)
	server.Close()
	for _, o := range writer.Write(t.Context(), "x", posts(2)) {
		if o.Result != Retry || o.Reason != ReasonNetwork {
			t.Errorf("got %+v", o)
		}
	}
}

func TestCancelledWrite(t *testing.T) {
	server := newFakeServer(t, acceptAll)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, o := range server.writer(t).Write(ctx, "x", posts(2)) {
		if o.Result != Retry || o.Reason != ReasonNetwork {
			t.Errorf("got %+v", o)
		}
	}
}

func TestItemsAreToldApart(t *testing.T) {
	server := newFakeServer(t, refuse(200, `{"items":[
		{"update":{"_index":"posts-1","status":201,"result":"created"}},
		{"update":{"_index":"posts-1","status":200,"result":"updated"}},
		{"update":{"_index":"posts-1","status":200,"result":"noop"}},
		{"update":{"_index":"posts-1","status":409,"error":{"type":"version_conflict_engine_exception","reason":"[id-3]: version conflict"}}},
		{"index":{"_index":"posts-write","status":400,"error":{"type":"illegal_argument_exception","reason":"pipeline with id [nope] does not exist"}}}]}`))
	actions := posts(5)
	actions[1] = deleted("id-1", 3)
	want := []Outcome{
		{Result: Written, Index: "posts-1"},
		{Result: Deleted, Index: "posts-1"},
		{Result: Stale, Index: "posts-1"},
		{Result: Retry, Reason: ReasonConflict, Words: "version_conflict_engine_exception: [id-3]: version conflict"},
		{Result: Retry, Reason: ReasonOther, Words: "illegal_argument_exception: pipeline with id [nope] does not exist"},
	}
	if diff := cmp.Diff(want, neverFirst(server.writer(t)).Write(t.Context(), "x", actions)); diff != "" {
		t.Error(diff)
	}
}
