package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"
)

// timeline notes when events were published, when OpenSearch had acknowledged their
// documents, and when a search found them. Each event is of a document of its own.
// It is safe for concurrent use.
type timeline struct {
	mu           sync.Mutex
	published    map[string]time.Time // by id
	acknowledged []time.Duration      // since they were published
	found        []time.Duration
	unfound      []string // of the sample
}

func newTimeline() *timeline { return &timeline{published: map[string]time.Time{}} }

// publish notes that an event is handed to the publisher's client now; sampled ones
// are searched for.
func (t *timeline) publish(id string, sampled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.published[id] = time.Now()
	if sampled {
		t.unfound = append(t.unfound, id)
	}
}

func (t *timeline) acknowledge(ids []string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		if since, ok := t.published[id]; ok { // else it is of another step
			t.acknowledged = append(t.acknowledged, at.Sub(since))
		}
	}
}

// sought returns the ids to search for.
func (t *timeline) sought() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.unfound)
}

func (t *timeline) find(id string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.found = append(t.found, at.Sub(t.published[id]))
	t.unfound = slices.DeleteFunc(t.unfound, func(other string) bool { return other == id })
}

// left is how many events are not acknowledged, and how many not found.
func (t *timeline) left() (unacknowledged, unfound int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.published) - len(t.acknowledged), len(t.unfound)
}

// tap stands between a worker and OpenSearch, in this process, and notes which
// documents of a bulk request were acknowledged, as soon as the answer is here. So
// the time is taken without asking the worker, and the same for everything that is
// put in its place.
type tap struct {
	*httptest.Server
	mu  sync.Mutex
	now *timeline
}

func newTap(upstream string) (*tap, error) {
	address, err := url.Parse(upstream)
	if err != nil {
		return nil, fmt.Errorf("read the address of OpenSearch: %w", err)
	}
	t := &tap{now: newTimeline()}
	pass := httputil.NewSingleHostReverseProxy(address)
	pass.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	pass.ModifyResponse = t.note
	t.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_bulk" {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the worker is gone
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			r = r.WithContext(withBody(r.Context(), body))
		}
		pass.ServeHTTP(w, r)
	}))
	return t, nil
}

type bodyKey struct{}

// withBody keeps a request's body for the answer.
func withBody(ctx context.Context, body []byte) context.Context {
	return context.WithValue(ctx, bodyKey{}, body)
}

func bodyOf(ctx context.Context) []byte {
	body, _ := ctx.Value(bodyKey{}).([]byte)
	return body
}

// follow has the acknowledgements from now on noted in another timeline.
func (t *tap) follow(timeline *timeline) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = timeline
}

// note reads the answer to a bulk request, and what was asked for in it.
func (t *tap) note(answer *http.Response) error {
	asked := bodyOf(answer.Request.Context())
	if asked == nil || answer.StatusCode != http.StatusOK {
		return nil
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	at := time.Now()
	answer.Body = io.NopCloser(bytes.NewReader(text))
	if bytes.Contains(text, []byte(`"error":`)) {
		return nil // what of it was refused comes again, and would be missed if not
	}
	body, err := unpacked(answer.Request.Header, bytes.NewReader(asked))
	if err != nil {
		return err
	}
	var ids []string
	_, err = readActions(newLines(body), func(_ string, line []byte) error {
		ids = append(ids, string(member(line, `"_id":"`)))
		return nil
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.acknowledge(ids, at)
	return err
}
