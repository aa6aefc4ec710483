// Package web serves a worker's probes, metrics, status and page over HTTP. It decides
// nothing: what is alive and ready is told by the functions it is given.
package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/search-indexer/search-indexer/internal/config"
)

// Config is where to listen.
type Config struct {
	Addr string `env:"HTTP_ADDR, default=:8080" doc:"Where /livez, /readyz, /metrics, /status and the page for people (/) are served, as host:port. Only /admin asks for a token, so keep it inside the cluster."`
	// PprofAddr is empty for no profiles.
	PprofAddr string `env:"PPROF_ADDR" doc:"Where Go's profiles are served under /debug/pprof/, as host:port; empty for nowhere. They tell of the program's insides and cost it time: use a loopback address, such as 127.0.0.1:6060."`
	// AdminToken opens /admin; where it is empty, there is no /admin.
	AdminToken config.Secret `env:"ADMIN_TOKEN" doc:"Opens POST /admin/pause and /admin/resume to those who send it as a bearer token, 16 bytes or more; empty for no such address. The file is read again at every request. It crosses the network in clear unless a proxy adds TLS."`
}

// Validate names every wrong setting.
func (c Config) Validate() error {
	var wrong []error
	wrong = append(wrong, checkAddr("HTTP_ADDR", c.Addr, ":8080 or 127.0.0.1:8080"))
	if c.PprofAddr != "" {
		wrong = append(wrong, checkAddr("PPROF_ADDR", c.PprofAddr, "127.0.0.1:6060"))
	}
	if n := len(c.AdminToken.Reveal()); 0 < n && n < shortestToken {
		wrong = append(wrong, fmt.Errorf("ADMIN_TOKEN: has %d bytes, which can be guessed; use %d or more, such as of `openssl rand -hex 16`", n, shortestToken))
	}
	return errors.Join(wrong...)
}

// checkAddr names what is wrong with an address to listen on.
func checkAddr(setting, addr, example string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s: %q is not host:port, such as %s", setting, addr, example)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s: the port of %q must be a number from 0 (any free one) to 65535", setting, addr)
	}
	return nil
}

const shortestToken = 16

// Views are what the server shows. All are called from many goroutines.
type Views struct {
	// Alive returns why the process should be restarted, nil while it need not.
	Alive func() error
	// Ready returns whether the worker does its work, and what is not as it should be.
	Ready func(ctx context.Context) Readiness
	// Status returns what /status shows, as anything that marshals to JSON.
	Status func(ctx context.Context) any
	// Page tells that Status is what the page at / reads.
	Page bool
	// Metrics is what /metrics shows.
	Metrics prometheus.Gatherer
	// Pause pauses a partition or, with on false, reads it again. An error that is
	// [ErrNoSuchPartition] is the asker's fault. Nil where there is no /admin.
	Pause func(ctx context.Context, topic string, partition int32, on bool) (Paused, error)
}

// Readiness is what /readyz tells.
type Readiness struct {
	Problems []string // keep the worker from its work: it is not ready
	Notes    []string // are not as they should be, but the worker goes on
}

// Server is an HTTP server on a port that is already bound.
type Server struct {
	http     *http.Server
	listener net.Listener
}

// Listen binds the address and returns a server that does not answer yet.
func Listen(ctx context.Context, cfg Config, views Views) (*Server, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen on HTTP_ADDR: %w", err)
	}
	return &Server{listener: listener, http: &http.Server{
		Handler:           views.routes(cfg.AdminToken),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}}, nil
}

// Addr is where the server listens, with the port that the system chose for 0.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers until Close.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// Close stops the server at once.
func (s *Server) Close() error { return s.http.Close() }

func (v Views) routes(admin config.Secret) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		if err := v.Alive(); err != nil {
			respond(w, http.StatusServiceUnavailable, probe{Status: "dead", Problems: []string{err.Error()}})
			return
		}
		respond(w, http.StatusOK, probe{Status: "alive"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ready := v.Ready(r.Context())
		body, code := probe{Status: "ready", Problems: ready.Problems, Notes: ready.Notes}, http.StatusOK
		if len(ready.Problems) > 0 {
			body.Status, code = "not ready", http.StatusServiceUnavailable
		}
		respond(w, code, body)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		respond(w, http.StatusOK, v.Status(r.Context()))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(v.Metrics, promhttp.HandlerOpts{}))
	if v.Page {
		mux.Handle("GET /{$}", page("index.html"))
		mux.Handle("GET /page.css", page("page.css"))
		mux.Handle("GET /page.js", page("page.js"))
	}
	if admin.IsSet() && v.Pause != nil {
		token := &adminToken{secret: admin}
		mux.Handle("POST /admin/pause", authorized(token, v.pause(true)))
		mux.Handle("POST /admin/resume", authorized(token, v.pause(false)))
	}
	return mux
}

// probe is the body of /livez and /readyz.
type probe struct {
	Status   string   `json:"status"`
	Problems []string `json:"problems,omitempty"`
	Notes    []string `json:"notes,omitempty"`
}

func respond(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	text, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		code, text = http.StatusInternalServerError, []byte(`{"status":"cannot encode"}`)
	}
	w.WriteHeader(code)
	_, _ = w.Write(append(text, '\n')) // the client's going away is no news
}
