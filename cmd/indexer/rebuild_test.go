package main

import (
	"maps"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// With --json there is an object also where nothing could be done, and it says why.
func TestFailedCommandsPrintAnObject(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	away := maps.Clone(s.env)
	away["KAFKA_BROKERS"] = "127.0.0.1:1"
	// It only removes indices, and so needs no Kafka.
	indexer(t, away, "", "rebuild", "--abort").want(t, exitDone)
	t.Run("commands", func(t *testing.T) {
		for _, command := range [][]string{{"rebuild", "--dry-run"}, {"rebuild", "--finish"}, {"verify"}} {
			t.Run(strings.Join(command, " "), func(t *testing.T) {
				t.Parallel()
				got := indexer(t, away, "", append(command, "--json")...)
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
