package index

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeServer answers bulk requests as reply says and remembers their bodies.
type fakeServer struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	header http.Header // of the last request
}

func newFakeServer(t *testing.T, reply func(w http.ResponseWriter, body string)) *fakeServer {
	t.Helper()
	f := &fakeServer{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		f.mu.Lock()
		f.bodies = append(f.bodies, string(body))
		f.header = r.Header.Clone()
		f.mu.Unlock()
		reply(w, string(body))
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeServer) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.bodies...)
}

func (f *fakeServer) config() Config {
	return Config{URLs: []string{f.URL}, Shards: 1, RefreshInterval: time.Second}
}

func (f *fakeServer) writer(t *testing.T) *Writer {
	t.Helper()
	return NewWriter(mustClient(t, f.config()))
}

// acceptAll answers a bulk request with one created item for each action.
func acceptAll(w http.ResponseWriter, body string) {
	var out bytes.Buffer
	for i := range strings.Count(body, "\n") / 2 {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"update":{"_index":"posts-20260102-030405","status":201,"result":"created"}}`)
	}
	_, _ = fmt.Fprintf(w, `{"items":[%s]}`, out.String())
}

func refuse(status int, body string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}
