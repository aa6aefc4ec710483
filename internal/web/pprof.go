package web

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// ListenPprof binds PPROF_ADDR and returns a server of Go's profiles that does not
// answer yet; none where that setting is empty. It has an address of its own, since a
// profile costs the worker time and tells of its insides.
func ListenPprof(ctx context.Context, cfg Config) ([]*Server, error) {
	if cfg.PprofAddr == "" {
		return nil, nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cfg.PprofAddr)
	if err != nil {
		return nil, fmt.Errorf("listen on PPROF_ADDR: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return []*Server{{listener: listener, http: &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10, // a profile takes as long as it is asked to
	}}}, nil
}
