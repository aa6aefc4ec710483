package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// refusal is a way in which OpenSearch, or a proxy before it, says no.
type refusal struct {
	name string
	// whole are the statuses that a whole request may get; where there are none, some
	// of its items get one of items, as type and status.
	whole []int
	items map[string]int
}

// refusals are all ways. Whatever is refused may have been applied all the same:
// wholly, in part, or not at all.
func refusals() []refusal {
	return []refusal{
		{name: "items answered 429", items: map[string]int{"rejected_execution_exception": 429}},
		{name: "items answered 409 and 503", items: map[string]int{"version_conflict_engine_exception": 409, "unavailable_shards_exception": 503}},
		{name: "requests answered 429", whole: []int{429}},
		{name: "requests answered 502, 503, 504", whole: []int{502, 503, 504}},
		{name: "requests answered 401 and 403", whole: []int{401, 403}},
		{name: "bulks of several answered 413", whole: []int{413}},
	}
}

// refuser passes requests on to OpenSearch and spoils what mode says. It has no
// randomness of the seed's: which requests come when has none either.
type refuser struct {
	url, upstream string
	mode          atomic.Pointer[refusal]
	spoiled       atomic.Int64
}

func newRefuser(t *testing.T, upstream string) *refuser {
	f := &refuser{upstream: upstream}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// ServeHTTP spoils two of three requests.
func (f *refuser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	mode := f.mode.Load()
	actions := bulkActions(r, body)
	isSpoiled := mode != nil && rand.IntN(3) > 0
	switch {
	case isSpoiled && len(mode.whole) > 0 && mode.whole[0] == http.StatusRequestEntityTooLarge && len(actions) < 2:
		isSpoiled = false // what is too large even alone is a dead letter
	case isSpoiled && len(mode.whole) == 0 && len(actions) == 0:
		isSpoiled = false // it has no items
	}
	if !isSpoiled {
		f.answer(w, r, body)
		return
	}
	f.spoiled.Add(1)
	if len(mode.whole) > 0 {
		f.refuseWhole(w, r, actions, mode.whole[rand.IntN(len(mode.whole))])
	} else {
		f.refuseItems(w, r, actions, mode.items)
	}
}

// bulkActions splits the body of a bulk request into actions of two lines each;
// none where it is another request.
func bulkActions(r *http.Request, body []byte) []string {
	if !strings.HasSuffix(r.URL.Path, "_bulk") {
		return nil
	}
	lines := strings.SplitAfter(string(body), "\n")
	var actions []string
	for i := 0; i+1 < len(lines); i += 2 {
		actions = append(actions, lines[i]+lines[i+1])
	}
	return actions
}

// some returns which of n actions are chosen: none, all, or each by chance.
func some(n int) []bool {
	chosen := make([]bool, n)
	share := []int{0, 50, 100}[rand.IntN(3)]
	for i := range chosen {
		chosen[i] = rand.IntN(100) < share
	}
	return chosen
}

// refuseWhole applies some of the actions, and refuses all.
func (f *refuser) refuseWhole(w http.ResponseWriter, r *http.Request, actions []string, status int) {
	if status != http.StatusRequestEntityTooLarge { // that is said before anything is read
		_, _ = f.apply(r, actions, some(len(actions)))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if status != http.StatusRequestEntityTooLarge && rand.IntN(2) == 0 {
		_, _ = fmt.Fprintf(w, `{"error":{"type":"refused_on_purpose","reason":"by the test"},"status":%d}`, status)
	}
}

// refuseItems refuses some of the actions, and applies some of those all the same.
func (f *refuser) refuseItems(w http.ResponseWriter, r *http.Request, actions []string, with map[string]int) {
	refused, applied := some(len(actions)), some(len(actions))
	for i := range applied {
		applied[i] = applied[i] || !refused[i]
	}
	items, response := f.apply(r, actions, applied)
	if items == nil && response != nil { // refused as a whole, by OpenSearch itself
		copyAnswer(w, response)
		return
	}
	if response == nil && len(items) == 0 && anyTrue(applied) {
		panic(http.ErrAbortHandler) // OpenSearch is away
	}
	all := make([]json.RawMessage, 0, len(actions))
	for i := range actions {
		var item json.RawMessage
		if applied[i] {
			item, items = items[0], items[1:]
		}
		if refused[i] {
			for kind, status := range with { // in random order
				item = fmt.Appendf(nil, `{"update":{"_index":"x","status":%d,"error":{"type":%q,"reason":"by the test"}}}`, status, kind)
				break
			}
		}
		all = append(all, item)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"items": all})
}

func anyTrue(list []bool) bool {
	for _, b := range list {
		if b {
			return true
		}
	}
	return false
}

// apply sends the chosen actions to OpenSearch and returns the items of the answer.
// Where OpenSearch refuses the whole, there are no items but its answer.
func (f *refuser) apply(r *http.Request, actions []string, chosen []bool) ([]json.RawMessage, *answer) {
	var body strings.Builder
	for i, action := range actions {
		if chosen[i] {
			body.WriteString(action)
		}
	}
	if body.Len() == 0 {
		return nil, nil
	}
	got, err := f.pass(r, []byte(body.String()))
	if err != nil {
		return nil, nil
	}
	var parsed struct {
		Items []json.RawMessage `json:"items"`
	}
	if got.status != http.StatusOK || json.Unmarshal(got.body, &parsed) != nil {
		return nil, got
	}
	return parsed.Items, got
}

// answer is a whole response of OpenSearch.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// answer passes a request on and its answer back. Where OpenSearch is away, the
// connection is cut, as it would be without a proxy between.
func (f *refuser) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	got, err := f.pass(r, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	copyAnswer(w, got)
}

func copyAnswer(w http.ResponseWriter, got *answer) {
	for name, values := range got.header {
		w.Header()[name] = values
	}
	w.WriteHeader(got.status)
	_, _ = w.Write(got.body)
}

func (f *refuser) pass(r *http.Request, body []byte) (*answer, error) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, f.upstream+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header = r.Header.Clone()
	req.Header.Del("Accept-Encoding") // the client here asks by itself, and unpacks
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask OpenSearch: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	got := &answer{status: resp.StatusCode, header: resp.Header}
	if got.body, err = io.ReadAll(resp.Body); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return got, nil
}

// What the refuser says of each action must be what came of it, or a refusal: a
// test that mixes them up would find differences that are its own.
func TestRefuserKeepsItemsInOrder(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var items []string
		for _, action := range bulkActions(r, body) {
			id, _, _ := strings.Cut(action, "\n")
			items = append(items, fmt.Sprintf(`{"update":{"status":200,"result":%q}}`, id))
		}
		_, _ = fmt.Fprintf(w, `{"items":[%s]}`, strings.Join(items, ","))
	}))
	t.Cleanup(upstream.Close)
	f := newRefuser(t, upstream.URL)
	var body strings.Builder
	const n = 20
	for i := range n {
		fmt.Fprintf(&body, "%d\ndoc\n", i)
	}
	var passed, refused int
	for range 60 {
		f.mode.Store(&refusals()[0])
		resp, err := http.Post(f.url+"/_bulk", "application/x-ndjson", strings.NewReader(body.String()))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Items []struct {
				Update struct {
					Status int
					Result string
				}
			}
		}
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if len(got.Items) != n {
			t.Fatalf("%d items for %d actions", len(got.Items), n)
		}
		for i, item := range got.Items {
			switch {
			case item.Update.Status == http.StatusTooManyRequests:
				refused++
			case item.Update.Result == fmt.Sprint(i):
				passed++
			default:
				t.Fatalf("item %d says %+v", i, item.Update)
			}
		}
	}
	if passed == 0 || refused == 0 || f.spoiled.Load() == 0 {
		t.Errorf("passed %d, refused %d, spoiled %d requests: want some of each", passed, refused, f.spoiled.Load())
	}
}
