package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/search-indexer/search-indexer/internal/web"
)

func serve(t *testing.T, alive error, ready web.Readiness) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "indexer_example_total"})
	registry.MustRegister(counter)
	server, err := web.Listen(t.Context(), web.Config{Addr: "127.0.0.1:0"}, web.Views{
		Alive:   func() error { return alive },
		Ready:   func(context.Context) web.Readiness { return ready },
		Status:  func(context.Context) any { return map[string]int{"in_flight": 3} },
		Metrics: registry,
		Page:    true,
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve() }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + server.Addr()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestEndpoints(t *testing.T) {
	good := serve(t, nil, web.Readiness{Notes: []string{"Redis is down"}})
	bad := serve(t, errors.New("polling has stalled"), web.Readiness{Problems: []string{"alias posts-write is missing: run `indexer setup`"}})
	for name, tt := range map[string]struct {
		url  string
		code int
		body string
	}{
		"alive":     {good + "/livez", 200, `{"status":"alive"}`},
		"dead":      {bad + "/livez", 503, "polling has stalled"},
		"ready":     {good + "/readyz", 200, `{"status":"ready","notes":["Redis is down"]}`},
		"not ready": {bad + "/readyz", 503, "run `indexer setup`"},
		"status":    {good + "/status", 200, `{"in_flight":3}`},
		"metrics":   {good + "/metrics", 200, "indexer_example_total 0"},
		"elsewhere": {good + "/nowhere", 404, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, body := get(t, tt.url); code != tt.code || !strings.Contains(body, tt.body) {
				t.Errorf("%d %s, want %d with %s", code, body, tt.code, tt.body)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	if err := (web.Config{Addr: ":8080"}).Validate(); err != nil {
		t.Error(err)
	}
	for _, addr := range []string{"8080", ":99999", ":", ":http", ":-1"} {
		if err := (web.Config{Addr: addr}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "HTTP_ADDR: ") {
			t.Errorf("%q: %v", addr, err)
		}
	}
	if _, err := web.Listen(t.Context(), web.Config{Addr: "256.0.0.1:1"}, web.Views{}); err == nil {
		t.Error("listened on an address that does not exist")
	}
}
