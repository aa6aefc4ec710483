package observe

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// searchValve stands between the program and OpenSearch. Only one prefix of indices
// is throttled by it: the test's own.
type searchValve struct {
	url     string
	mode    atomic.Int32
	mu      sync.Mutex
	opaque  map[string]bool // X-Opaque-Id of the bulk requests that passed
	traceID map[string]bool // of their traceparent
}

const (
	open      = iota
	throttled // every bulk request is answered with 429
	down      // no request is answered
	slow      // every bulk request takes two seconds longer
)

func newSearchValve(t *testing.T, urls string) *searchValve {
	t.Helper()
	first, _, _ := strings.Cut(urls, ",")
	target, err := url.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	v := &searchValve{opaque: map[string]bool{}, traceID: map[string]bool{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bulk := strings.HasSuffix(r.URL.Path, "/_bulk")
		switch mode := v.mode.Load(); {
		case mode == down:
			panic(http.ErrAbortHandler)
		case mode == throttled && bulk:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"error":{"type":"rejected_execution_exception","reason":"queue is full"},"status":429}`)
			return
		case mode == slow && bulk:
			time.Sleep(2 * time.Second)
		case bulk:
			v.note(r)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	v.url = server.URL
	return v
}

func (v *searchValve) note(r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.opaque[r.Header.Get("X-Opaque-Id")] = true
	if parts := strings.Split(r.Header.Get("Traceparent"), "-"); len(parts) == 4 {
		v.traceID[parts[1]] = true
	}
}

func (v *searchValve) sawOpaqueID(id string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.opaque[id]
}

// tcpValve passes connections on while it is open.
type tcpValve struct {
	address string
	mu      sync.Mutex
	shut    bool
	conns   map[net.Conn]bool
}

func redisAddress(redisURL string) string {
	parsed, err := url.Parse(redisURL)
	if err != nil {
		return redisURL
	}
	return parsed.Host
}

func newTCPValve(t *testing.T, target string) *tcpValve {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &tcpValve{address: listener.Addr().String(), conns: map[net.Conn]bool{}}
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			go v.pass(in, target)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		v.set(true)
	})
	return v
}

func (v *tcpValve) pass(in net.Conn, target string) {
	defer func() { _ = in.Close() }()
	out, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	if !v.keep(in) {
		return
	}
	go func() {
		_, _ = io.Copy(out, in)
		_ = out.Close()
	}()
	_, _ = io.Copy(in, out)
}

func (v *tcpValve) keep(conn net.Conn) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.shut {
		v.conns[conn] = true
	}
	return !v.shut
}

// set cuts all connections and takes no more, or takes them again.
func (v *tcpValve) set(shut bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.shut = shut
	if shut {
		for conn := range v.conns {
			_ = conn.Close()
		}
		clear(v.conns)
	}
}

// sawTrace tells whether a bulk request was of that trace; with an empty id, of any.
func (v *searchValve) sawTrace(id string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.traceID[id] || id == "" && len(v.traceID) > 0
}
