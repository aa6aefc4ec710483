package main

import (
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/index"
)

// What changes documents behind the workers' backs goes on one at a time, and waits
// for nobody; what only looks is not kept from it.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client, err := index.NewClient(index.Config{URLs: []string{s.url}, IndexPrefix: s.env["OPENSEARCH_INDEX_PREFIX"]})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.must("status", "--json"); !strings.Contains(got, `"lock": null`) {
		t.Errorf("nobody has the lock:\n%s", got)
	}
	lock, err := client.Lock(t.Context(), index.LockRequest{Command: "rebuild", TTL: 9 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	commands := [][]string{{"purge"}, {"dlq", "replay"}}
	t.Run("locked", func(t *testing.T) { // each waits for a renewal
		for _, command := range commands {
			t.Run(command[0], func(t *testing.T) {
				t.Parallel()
				indexer(t, s.env, "", command...).want(t, exitFailed, "rebuild is under way")
				indexer(t, s.env, "", append(command, "--dry-run")...).want(t, exitDone)
			})
		}
	})
	if got := s.must("status"); !strings.Contains(got, "\nlocked for rebuild since ") {
		t.Errorf("status does not name who has the lock:\n%s", got)
	}
	if got := s.must("status", "--json"); !strings.Contains(got, `"command": "rebuild"`) {
		t.Errorf("status --json does not name who has the lock:\n%s", got)
	}
	if err := lock.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, command := range commands {
		indexer(t, s.env, "", command...).want(t, exitDone)
	}
	if got := s.must("status"); strings.Contains(got, "locked") {
		t.Errorf("the lock was released:\n%s", got)
	}
}
