package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// valve stands before OpenSearch and lets through as many documents a second as it
// is set to; all where that is 0.
type valve struct {
	*httptest.Server
	rate   atomic.Int64
	mu     sync.Mutex
	freeAt time.Time
}

func newValve(upstream string) (*valve, error) {
	to, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	v := &valve{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "_bulk") {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the client is gone
			}
			v.wait(r, bytes.Count(body, []byte{'\n'})/2)
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		proxy.ServeHTTP(w, r)
	}))
	return v, nil
}

// wait holds a request of n documents up until it is its turn, or the valve opens.
func (v *valve) wait(r *http.Request, n int) {
	rate := v.rate.Load()
	if rate == 0 {
		return
	}
	v.mu.Lock()
	if now := time.Now(); v.freeAt.Before(now) {
		v.freeAt = now
	}
	turn := v.freeAt
	v.freeAt = turn.Add(time.Duration(n) * time.Second / time.Duration(rate))
	v.mu.Unlock()
	for time.Now().Before(turn) && v.rate.Load() != 0 && r.Context().Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
}
