package main

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/search-indexer/search-indexer/internal/config"
)

// stuckLog is a log whose reader may hang, as a container's can: then every Write
// waits.
type stuckLog struct{ gate sync.RWMutex }

func (l *stuckLog) Write(line []byte) (int, error) {
	l.gate.RLock()
	defer l.gate.RUnlock()
	return len(line), nil
}

// TestLivezOfAHungPollLoop hangs the poll loop of a real worker in the midst of a
// rebalance, when it has something to log. Only what is patient with it is shorter.
func TestLivezOfAHungPollLoop(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	r := &runner{site: site, address: freeAddress(t)}
	env := maps.Clone(site.env)
	env["HTTP_ADDR"] = r.address
	var s settings
	if err := config.Load(t.Context(), env, s.all()...); err != nil {
		t.Fatal(err)
	}
	log := &stuckLog{}
	w, err := newWorker(s, zerolog.New(log), &errorLog{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.silence = 5 * time.Second
	ctx, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := w.run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); ended.Wait() })
	livez := func(code int, says string) {
		t.Helper()
		site.eventually(http.StatusText(code)+" of /livez", func() bool {
			got, body := r.ask(http.MethodGet, "/livez", "")
			return got == code && strings.Contains(body, says)
		})
	}
	site.eventually("the worker to have joined", w.consumer.Joined)
	livez(http.StatusOK, "alive")

	log.gate.Lock()
	other := site.run() // takes partitions over
	livez(http.StatusServiceUnavailable, "Kafka has not been polled for ")
	log.gate.Unlock()
	livez(http.StatusOK, "alive")
	other.stop()
}
