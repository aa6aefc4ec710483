package main

import (
	"maps"
	"testing"

	"github.com/go-json-experiment/json"
)

// With --json there is an object also where nothing could be done, and it says why.
func TestRebuildWithoutKafka(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	away := maps.Clone(s.env)
	away["KAFKA_BROKERS"] = "127.0.0.1:1"
	indexer(t, away, "", "rebuild", "--abort").want(t, exitDone) // only removes indices
	t.Run("commands", func(t *testing.T) {
		for _, flag := range []string{"--dry-run", "--finish"} {
			t.Run(flag, func(t *testing.T) {
				t.Parallel()
				got := indexer(t, away, "", "rebuild", flag, "--json")
				var object struct {
					Error string `json:"error"`
				}
				if err := json.Unmarshal([]byte(got.stdout), &object); err != nil || object.Error == "" {
					t.Errorf("%v: %s", err, got.stdout)
				}
				got.want(t, exitFailed, "127.0.0.1:1")
			})
		}
	})
}
