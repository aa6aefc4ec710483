package web_test

import (
	"strings"
	"testing"

	"github.com/search-indexer/search-indexer/internal/web"
)

func TestProfilesHaveAnAddressOfTheirOwn(t *testing.T) {
	if servers, err := web.ListenPprof(t.Context(), web.Config{}); err != nil || len(servers) > 0 {
		t.Errorf("without PPROF_ADDR: %v, %v", servers, err)
	}
	servers, err := web.ListenPprof(t.Context(), web.Config{PprofAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- servers[0].Serve() }()
	if code, body := get(t, "http://"+servers[0].Addr()+"/debug/pprof/goroutine?debug=1"); code != 200 || !strings.Contains(body, "goroutine profile:") {
		t.Errorf("%d %s", code, body)
	}
	if err := servers[0].Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if code, _ := get(t, serve(t, nil, web.Readiness{})+"/debug/pprof/"); code != 404 {
		t.Errorf("profiles beside the probes: %d", code)
	}
}
